"""What a worker does with jobs: claiming, holding, ending. Only the last claim's holder may write."""

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models.functions import Now

from diagnoses import storage
from diagnoses.models import AuditEvent, Job, ModelVersion, Result, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import BY_URGENCY, Purpose
from diagnoses.models.registry import Standing
from diagnoses.services.jobs import (
    Claim,
    claim_jobs,
    complete_job,
    extend_leases,
    fail_job,
    read_file,
    reconcile,
    refuse_job,
)
from diagnoses.states import JobStatus, Move
from tests.diagnoses.factory import (
    HEATMAP,
    PICTURE,
    PICTURE_SHA256,
    claim_of,
    last_event,
    make_job,
    make_model_version,
    make_study,
    outcome,
    row,
    stored_files,
)

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def study(clinician: User, model_version: ModelVersion) -> Study:
    return make_study(clinician, model_version)


def claim(*model_versions: ModelVersion, limit: int = 16, worker: str = "reader-1") -> list[Claim]:
    return claim_jobs(worker_name=worker, model_versions=model_versions, limit=limit)


def claimed_ids(*model_versions: ModelVersion, limit: int = 16) -> list[uuid.UUID]:
    return [claimed.job_id for claimed in claim(*model_versions, limit=limit)]


def lose(job: Job) -> None:
    """The lease runs out, the scheduler sees it, and it is time to try again."""
    Job.objects.filter(pk=job.pk).update(lease_until=Now() - timedelta(seconds=1))
    reconcile()
    Job.objects.filter(pk=job.pk).update(ready_at=Now())


def running_for_a_second(study: Study, model_version: ModelVersion, worker: str) -> Job:
    """A job whose lease is as good as over."""
    soon = Now() + timedelta(seconds=1)
    return make_job(study, model_version, JobStatus.RUNNING, worker_name=worker, lease_until=soon)


def heatmaps() -> list[str]:
    return [path.name for path in stored_files() if path.suffix == ".png"]


def test_the_oldest_jobs_are_claimed_first(study: Study, model_version: ModelVersion) -> None:
    ages = [3, 1, 5, 2, 4]
    jobs = {age: make_job(study, model_version, created_at=LONG_AGO - timedelta(hours=age)) for age in ages}
    assert [c.job_id for c in claim(model_version, limit=2)] == [jobs[5].pk, jobs[4].pk]
    assert [c.job_id for c in claim(model_version)] == [jobs[3].pk, jobs[2].pk, jobs[1].pk]


def test_no_more_jobs_are_claimed_than_asked_for(study: Study, model_version: ModelVersion) -> None:
    for _ in range(5):
        make_job(study, model_version)
    assert len(claim(model_version, limit=3)) == 3
    assert Job.objects.filter(status=JobStatus.QUEUED).count() == 2


def test_a_claim_runs_under_a_lease_of_the_sites_length(
    study: Study, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_LEASE_SECONDS = 120
    job = make_job(study, model_version)
    claim(model_version, worker="reader-7")
    job.refresh_from_db()
    assert (job.status, job.worker_name) == (JobStatus.RUNNING, "reader-7")
    ahead = Job.objects.filter(lease_until__range=(Now() + timedelta(seconds=110), Now() + timedelta(seconds=120)))
    assert ahead.get() == job


def test_each_claim_counts_and_has_a_token_of_its_own(study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version)
    tokens = []
    for attempt in (1, 2, 3):
        [claimed] = claim(model_version)
        tokens.append(claimed.token)
        job.refresh_from_db()
        assert (job.attempts, job.token) == (attempt, claimed.token)
        lose(job)
    assert tokens == sorted(set(tokens))


def test_a_claim_says_what_to_read_and_how_it_was_sent(study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version)
    [claimed] = claim(model_version)
    stored_name = job.image.stored_name
    assert claimed == Claim(
        job.pk,
        1,
        "reader-1",
        PICTURE_SHA256,
        stored_name,
        model_version.pk,
        age_years=None,
        gate_overridden=False,
        is_suspect=False,
    )
    assert read_file(claimed) == PICTURE


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.QUEUED])
def test_only_queued_jobs_are_claimed(study: Study, model_version: ModelVersion, status: JobStatus) -> None:
    job = make_job(study, model_version, status)
    before = row(job)
    assert claim(model_version) == []
    assert row(job) == before


def test_a_job_that_was_claimed_before_is_taken_alone(study: Study, model_version: ModelVersion) -> None:
    suspect = make_job(study, model_version, attempts=1, created_at=LONG_AGO)
    others = [make_job(study, model_version) for _ in range(3)]
    assert [c.job_id for c in claim(model_version)] == [suspect.pk]
    assert [c.job_id for c in claim(model_version)] == [job.pk for job in others]


def test_fresh_jobs_do_not_take_an_earlier_claimed_one_along(study: Study, model_version: ModelVersion) -> None:
    first = make_job(study, model_version, created_at=LONG_AGO)
    suspect = make_job(study, model_version, attempts=1, created_at=LONG_AGO + timedelta(hours=1))
    last = make_job(study, model_version, created_at=LONG_AGO + timedelta(hours=2))
    assert [c.job_id for c in claim(model_version)] == [first.pk, last.pk]
    assert [c.job_id for c in claim(model_version)] == [suspect.pk]


def test_several_suspects_are_taken_one_by_one(study: Study, model_version: ModelVersion) -> None:
    suspects = [make_job(study, model_version, attempts=2) for _ in range(3)]
    taken = [[c.job_id for c in claim(model_version)] for _ in range(3)]
    assert taken == [[job.pk] for job in suspects]


def test_a_job_is_read_by_the_very_version_that_it_asks_for(study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version)
    assert claim(make_model_version(version="9.0.0"), make_model_version(name="densenet121")) == []
    assert claimed_ids(model_version) == [job.pk]


def test_a_worker_without_any_model_takes_nothing(study: Study, model_version: ModelVersion) -> None:
    make_job(study, model_version)
    assert claim() == []


def test_a_batch_is_of_one_version_that_of_the_job_which_waited_longest(
    study: Study, model_version: ModelVersion
) -> None:
    other = make_model_version(name="xception")
    jobs = [make_job(study, version) for version in (other, model_version, other, model_version, other)]
    assert claimed_ids(model_version, other) == [jobs[0].pk, jobs[2].pk, jobs[4].pk]
    assert claimed_ids(model_version, other) == [jobs[1].pk, jobs[3].pk]


def test_a_batch_of_one_version_is_full_though_jobs_of_another_stand_between(
    study: Study, model_version: ModelVersion
) -> None:
    other = make_model_version(name="xception")
    jobs = [make_job(study, version) for version in (model_version, other, other, model_version)]
    assert claimed_ids(model_version, other, limit=2) == [jobs[0].pk, jobs[3].pk]


def test_a_shadow_waits_until_nobody_else_does(study: Study, model_version: ModelVersion) -> None:
    shadow = make_model_version(name="xception", standing=Standing.SHADOW)
    shadowed = make_job(study, shadow, purpose=Purpose.SHADOW, created_at=LONG_AGO)
    waiting = [make_job(study, model_version), make_job(study, shadow, purpose=Purpose.REREAD)]
    taken = [claimed_ids(model_version, shadow, limit=1) for _ in range(3)]
    assert taken == [[waiting[0].pk], [waiting[1].pk], [shadowed.pk]]


def test_an_urgent_job_goes_before_all_that_is_not_and_a_shadow_after_all(
    study: Study, model_version: ModelVersion
) -> None:
    shadow = make_model_version(name="xception", standing=Standing.SHADOW)
    waiting = [make_job(study, model_version, created_at=LONG_AGO), make_job(study, model_version)]
    shadowed = make_job(study, shadow, purpose=Purpose.SHADOW, urgent=True, created_at=LONG_AGO)
    urgent = [make_job(study, model_version, urgent=True) for _ in range(2)]
    taken = [claimed_ids(model_version, shadow, limit=1) for _ in range(5)]
    assert taken == [[job.pk] for job in (*urgent, *waiting, shadowed)]


def test_within_a_batch_urgent_jobs_come_first(study: Study, model_version: ModelVersion) -> None:
    jobs = [make_job(study, model_version, urgent=urgent) for urgent in (False, True, False, True)]
    assert claimed_ids(model_version, limit=3) == [jobs[1].pk, jobs[3].pk, jobs[0].pk]


def test_the_queue_is_read_by_its_index(study: Study, model_version: ModelVersion) -> None:
    queued = Job.objects.filter(status=JobStatus.QUEUED).order_by(*BY_URGENCY)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")
    plan = queued.explain()
    assert "Index Scan using job_queue" in plan
    assert "Sort" not in plan


@pytest.mark.parametrize(
    ("birth_date", "years"),
    [(None, None), (date(2022, 1, 1), 4.0), (date(2025, 7, 2), 0.5), (date(2026, 1, 1), 0.0), (date(2026, 1, 2), None)],
)
def test_a_claim_says_how_old_the_patient_was_when_the_study_was_sent(
    clinician: User, model_version: ModelVersion, birth_date: date | None, years: float | None
) -> None:
    study = make_study(clinician, model_version, patient_birth_date=birth_date, created_at=LONG_AGO)
    make_job(study, model_version)
    [claimed] = claim(model_version)
    assert claimed.age_years == (None if years is None else pytest.approx(years, abs=0.01))


def test_a_beat_extends_the_leases_of_what_is_in_hand_alone(study: Study, model_version: ModelVersion) -> None:
    in_hand, dropped = (running_for_a_second(study, model_version, "reader-1") for _ in range(2))
    before = row(dropped)
    extend_leases(worker_name="reader-1", claims=[claim_of(in_hand)])
    assert Job.objects.filter(lease_until__gt=Now() + timedelta(seconds=20)).get() == in_hand
    assert row(dropped) == before


def test_a_beat_extends_nothing_that_another_worker_took_over(study: Study, model_version: ModelVersion) -> None:
    job = running_for_a_second(study, model_version, "reader-1")
    stale = claim_of(job)
    Job.objects.update(worker_name="reader-2", token=2)
    before = row(job)
    extend_leases(worker_name="reader-1", claims=[stale])
    assert row(job) == before


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.RUNNING])
def test_a_beat_brings_no_ended_or_queued_job_back(
    study: Study, model_version: ModelVersion, status: JobStatus
) -> None:
    job = make_job(study, model_version, status, worker_name="reader-1")
    before = row(job)
    extend_leases(worker_name="reader-1", claims=[claim_of(job)])
    assert row(job) == before


def test_a_completed_job_has_its_result_with_where_it_came_from(study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version)
    [claimed] = claim(model_version)
    assert complete_job(claim=claimed, outcome=outcome()) is True
    job.refresh_from_db()
    assert (job.status, job.lease_until, job.ended_at is not None) == (JobStatus.DONE, None, True)
    result: dict[str, Any] = dict(Result.objects.filter(job=job).values().get())
    assert result.pop("created_at")
    assert result == {
        "job_id": job.pk,
        "label": "PNEUMONIA",
        "score": 2.5,
        "probability": 0.9312,
        "indeterminate_reason": "",
        "warnings": [],
        "threshold": model_version.threshold,
        "band_low": model_version.band_low,
        "band_high": model_version.band_high,
        "temperature": model_version.temperature,
        "weights_sha256": model_version.weights_sha256,
        "image_sha256": PICTURE_SHA256,
        "preprocessing_version": model_version.preprocessing_version,
        "engine": "openvino",
        "heatmap_name": storage.heatmap_name(job.pk, 1),
        "heatmap_peak": 3.0,
        "timings_ms": {"decode": 1.5, "engine": 7.25},
        "override_code": "",
        "override_reason": "",
        "override_by": "",
    }
    assert storage.read(result["heatmap_name"]) == HEATMAP


def test_a_refused_job_says_why(study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version)
    [claimed] = claim(model_version)
    assert refuse_job(claim=claimed, code="damaged", message="Export it again.") is True
    job.refresh_from_db()
    assert (job.status, job.error_code, job.error_message) == (JobStatus.REFUSED, "damaged", "Export it again.")
    assert job.transitions.get(move=Move.REFUSE).detail == "damaged"
    assert not Result.objects.exists()


def test_a_failed_job_says_why(study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version)
    [claimed] = claim(model_version)
    assert fail_job(claim=claimed, code="internal_error", message="Tell your administrator.") is True
    job.refresh_from_db()
    assert (job.status, job.error_code) == (JobStatus.FAILED, "internal_error")
    assert job.error_message == "Tell your administrator."


def test_every_end_of_a_reading_is_on_record_in_the_workers_name(study: Study, model_version: ModelVersion) -> None:
    jobs = [make_job(study, model_version) for _ in range(3)]
    done, refused, failed = claim(model_version)
    complete_job(claim=done, outcome=outcome())
    refuse_job(claim=refused, code="damaged", message="Why.")
    fail_job(claim=failed, code="internal_error", message="Why.")
    events = AuditEvent.objects.filter(action=AuditAction.RESULT_RECORDED).order_by("id")
    assert [(e.object_id, e.detail["status"]) for e in events] == [
        (str(job.pk), status) for job, status in zip(jobs, ["done", "refused", "failed"], strict=True)
    ]
    assert {(e.actor_id, e.actor_name) for e in events} == {(None, "reader-1")}
    assert last_event(AuditAction.RESULT_RECORDED).detail["image"] == str(jobs[2].image_id)


@pytest.mark.parametrize("end", ["complete", "refuse", "fail"])
def test_a_claim_that_was_lost_to_another_writes_nothing(study: Study, model_version: ModelVersion, end: str) -> None:
    job = make_job(study, model_version)
    [stale] = claim(model_version, worker="reader-1")
    lose(job)
    [fresh] = claim(model_version, worker="reader-2")
    before, events = row(job), AuditEvent.objects.count()
    assert finish(end, stale) is False
    assert row(job) == before
    assert (heatmaps(), Result.objects.count(), AuditEvent.objects.count()) == ([], 0, events)
    assert complete_job(claim=fresh, outcome=outcome()) is True


@pytest.mark.parametrize("end", ["complete", "refuse", "fail"])
def test_a_claim_whose_job_went_back_to_the_queue_writes_nothing(
    study: Study, model_version: ModelVersion, end: str
) -> None:
    job = make_job(study, model_version)
    [stale] = claim(model_version)
    lose(job)
    before = row(job)
    assert finish(end, stale) is False
    assert row(job) == before
    assert (before["status"], heatmaps(), Result.objects.count()) == (JobStatus.QUEUED, [], 0)


def test_a_stale_answer_after_the_fresh_one_changes_nothing_of_it(study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version)
    [stale] = claim(model_version, worker="reader-1")
    lose(job)
    [fresh] = claim(model_version, worker="reader-2")
    complete_job(claim=fresh, outcome=outcome(probability=0.8))
    assert complete_job(claim=stale, outcome=outcome(probability=0.1, label="NORMAL", heatmap=b"stale")) is False
    result = Result.objects.get()
    assert (result.probability, result.label) == (0.8, "PNEUMONIA")
    assert storage.read(result.heatmap_name) == HEATMAP
    assert len(heatmaps()) == 1


def test_the_same_answer_twice_is_one_result_that_keeps_its_heatmap(study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version, JobStatus.RUNNING)
    assert complete_job(claim=claim_of(job), outcome=outcome()) is True
    assert complete_job(claim=claim_of(job), outcome=outcome()) is False
    assert storage.read(Result.objects.get().heatmap_name) == HEATMAP


def test_an_answer_whose_heatmap_cannot_be_kept_ends_nothing(
    study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(study, model_version, JobStatus.RUNNING)
    before = row(job)

    def write(name: str, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "write", write)
    with pytest.raises(OSError, match="No space left"):
        complete_job(claim=claim_of(job), outcome=outcome())
    assert row(job) == before
    assert not Result.objects.exists()


@pytest.mark.parametrize("field", ["threshold", "temperature", "band_low", "band_high"])
def test_a_result_keeps_what_its_version_decided_by(study: Study, model_version: ModelVersion, field: str) -> None:
    job = make_job(study, model_version, JobStatus.RUNNING)
    complete_job(claim=claim_of(job), outcome=outcome())
    then = getattr(model_version, field)
    ModelVersion.objects.update(**{field: 0.01})
    assert getattr(Result.objects.get(), field) == then


def test_a_result_keeps_why_it_cannot_tell_and_what_to_know_beside_it(
    study: Study, model_version: ModelVersion
) -> None:
    job = make_job(study, model_version, JobStatus.RUNNING)
    unsure = outcome(label="NORMAL", indeterminate_reason="band", warnings=("outside_age", "heatmap_at_border"))
    complete_job(claim=claim_of(job), outcome=unsure)
    result = Result.objects.get()
    assert (result.label, result.indeterminate_reason) == ("NORMAL", "band")
    assert result.warnings == ["outside_age", "heatmap_at_border"]


def finish(end: str, stale: Claim) -> bool:
    if end == "complete":
        return complete_job(claim=stale, outcome=outcome())
    act = refuse_job if end == "refuse" else fail_job
    return act(claim=stale, code="damaged", message="Never to be seen.")
