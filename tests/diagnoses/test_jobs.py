"""What a worker does with jobs that it claimed: holding, ending. Only the last claim's holder may write."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from diagnoses.models import AuditEvent, Job, ModelVersion, Result, Study
from diagnoses.models.audit import AuditAction
from diagnoses.services.jobs import Claim, extend_leases
from diagnoses.states import JobStatus, Move
from tests.diagnoses.claiming import claim, complete_job, fail_job, lose, refuse_job
from tests.diagnoses.factory import (
    HEATMAP,
    PICTURE_SHA256,
    claim_of,
    last_event,
    make_job,
    make_study,
    outcome,
    row,
)

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def study(clinician: User, model_version: ModelVersion) -> Study:
    return make_study(clinician, model_version)


def running_for_a_second(study: Study, model_version: ModelVersion, worker: str) -> Job:
    """A job whose lease is as good as over."""
    soon = Now() + timedelta(seconds=1)
    return make_job(study, model_version, JobStatus.RUNNING, worker_name=worker, lease_until=soon)


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
    assert bytes(result.pop("heatmap")) == HEATMAP
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
        "heatmap_peak": 3.0,
        "timings_ms": {"decode": 1.5, "engine": 7.25},
        "override_code": "",
        "override_reason": "",
        "override_by": "",
    }


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
    assert (Result.objects.count(), AuditEvent.objects.count()) == (0, events)
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
    assert (before["status"], Result.objects.count()) == (JobStatus.QUEUED, 0)


def test_a_stale_answer_after_the_fresh_one_changes_nothing_of_it(study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version)
    [stale] = claim(model_version, worker="reader-1")
    lose(job)
    [fresh] = claim(model_version, worker="reader-2")
    complete_job(claim=fresh, outcome=outcome(probability=0.8))
    assert complete_job(claim=stale, outcome=outcome(probability=0.1, label="NORMAL", heatmap=b"stale")) is False
    result = Result.objects.get()
    assert (result.probability, result.label) == (0.8, "PNEUMONIA")
    assert bytes(result.heatmap) == HEATMAP


def test_the_same_answer_twice_is_one_result_that_keeps_its_heatmap(study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version, JobStatus.RUNNING)
    assert complete_job(claim=claim_of(job), outcome=outcome()) is True
    assert complete_job(claim=claim_of(job), outcome=outcome()) is False
    assert bytes(Result.objects.get().heatmap) == HEATMAP


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
