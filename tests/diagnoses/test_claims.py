"""Which jobs a worker gets, in which order, and what a claim says of each."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from cxrsite.env import DataKeys
from diagnoses.models import Image, Job, ModelVersion, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import BY_URGENCY, Purpose
from diagnoses.models.registry import Standing
from diagnoses.services.jobs import (
    Claim,
    read_file,
)
from diagnoses.states import JobStatus
from tests.diagnoses.claiming import claim, claimed_ids, lose
from tests.diagnoses.factory import (
    PICTURE,
    PICTURE_SHA256,
    last_event,
    make_job,
    make_model_version,
    make_study,
    row,
)

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def study(clinician: User, model_version: ModelVersion) -> Study:
    return make_study(clinician, model_version)


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
        urgent=False,
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


def test_only_what_is_urgent_is_claimed_where_only_that_is_asked_for(study: Study, model_version: ModelVersion) -> None:
    plain = make_job(study, model_version)
    assert claim(model_version, urgent_only=True) == []
    urgent = make_job(study, model_version, urgent=True)
    make_job(study, model_version, urgent=True, purpose=Purpose.SHADOW)
    assert [one.job_id for one in claim(model_version, urgent_only=True)] == [urgent.pk]
    assert Job.objects.get(pk=plain.pk).status == JobStatus.QUEUED


def test_to_find_that_nothing_is_urgent_a_long_queue_is_not_walked(study: Study, model_version: ModelVersion) -> None:
    picture = make_job(study, model_version).image
    own = ("_state", "id", "position", "stored_name", "filename")
    facts = {name: value for name, value in vars(picture).items() if name not in own}
    images = Image.objects.bulk_create(
        Image(position=number, stored_name=str(number), filename="x.png", study=study, **facts)
        for number in range(1, 2000)
    )
    Job.objects.bulk_create(Job(image=image, model_version=model_version) for image in images)
    with CaptureQueriesContext(connection) as sent, connection.cursor() as cursor:
        cursor.execute("ANALYZE diagnoses_job")
        assert claim(model_version, urgent_only=True) == []
        [look] = [query["sql"] for query in sent if "SKIP LOCKED" in query["sql"]]
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {look}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "using job_queue" in plan
    assert "Index Cond: (urgent = true)" in plan
    assert "Rows Removed by Filter" not in plan


@pytest.fixture
def sealed_apart(clinician: User, model_version: ModelVersion, settings: LazySettings) -> tuple[Job, Job]:
    """Two queued jobs: one sealed under a site key that this worker lacks, and another."""
    keys = settings.CXR_DATA_KEYS
    settings.CXR_DATA_KEYS = DataKeys({**keys.sealing, 9: bytes(range(32))}, keys.index)
    born: dict[str, date] = {"patient_birth_date": date(1990, 1, 2)}
    newer = make_job(make_study(clinician, model_version, patient_id="P-2", **born), model_version)
    settings.CXR_DATA_KEYS = keys
    return newer, make_job(make_study(clinician, model_version, patient_id="P-1", **born), model_version)


def test_a_job_that_does_not_open_here_is_left_to_others_and_the_rest_of_its_batch_is_read(
    sealed_apart: tuple[Job, Job], model_version: ModelVersion
) -> None:
    newer, other = sealed_apart
    assert claimed_ids(model_version) == [other.pk]
    newer.refresh_from_db()
    assert (newer.status, newer.lease_until, newer.attempts) == (JobStatus.QUEUED, None, 1)
    assert Job.objects.filter(pk=newer.pk, ready_at__gt=Now()).exists(), "this worker does not take it again at once"
    assert newer.transitions.get(move="recover").detail == "does_not_open"


def test_a_worker_that_opens_nothing_of_a_batch_goes_on_with_the_next(
    sealed_apart: tuple[Job, Job], model_version: ModelVersion
) -> None:
    assert claimed_ids(model_version, limit=1) == [sealed_apart[1].pk]


def test_a_worker_with_the_key_reads_what_another_put_aside(
    sealed_apart: tuple[Job, Job], model_version: ModelVersion, settings: LazySettings
) -> None:
    newer, _ = sealed_apart
    claim(model_version)
    Job.objects.update(ready_at=Now())
    keys = settings.CXR_DATA_KEYS
    settings.CXR_DATA_KEYS = DataKeys({**keys.sealing, 9: bytes(range(32))}, keys.index)
    assert claimed_ids(model_version) == [newer.pk]


def test_a_job_that_opens_nowhere_fails_with_a_code_once_its_attempts_are_spent(
    sealed_apart: tuple[Job, Job], model_version: ModelVersion, settings: LazySettings
) -> None:
    newer, _ = sealed_apart
    for _attempt in range(settings.CXR_MAX_ATTEMPTS):
        claim(model_version)
        Job.objects.update(ready_at=Now())
    newer.refresh_from_db()
    assert (newer.status, newer.error_code) == (JobStatus.FAILED, "does_not_open")
    assert "CXR_DATA_KEYS" in newer.error_words
    assert last_event(AuditAction.RESULT_RECORDED).object_id == str(newer.pk)
