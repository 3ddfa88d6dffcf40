"""Putting right what a crash left, and trying again at a person's wish."""

from collections.abc import Iterator
from datetime import timedelta

import psycopg2
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import DjangoCaptureOnCommitCallbacks

from diagnoses.audit import user_actor
from diagnoses.models import AuditEvent, Job, JobTransition, ModelVersion, Result, Study
from diagnoses.models.audit import AuditAction
from diagnoses.services import recovery
from diagnoses.services.jobs import claim_jobs
from diagnoses.services.recovery import Reconciled, reconcile
from diagnoses.services.retrying import retry_job
from diagnoses.states import JobStatus, Move
from tests.diagnoses.claiming import complete_job, fail_job
from tests.diagnoses.conftest import Doorbell
from tests.diagnoses.factory import broken_audit, last_event, make_job, make_study, outcome, row

NOT_RETRIABLE = [JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.DONE]
RETRIABLE = [JobStatus.FAILED, JobStatus.REFUSED]


@pytest.fixture
def study(clinician: User, model_version: ModelVersion) -> Study:
    return make_study(clinician, model_version)


@pytest.fixture
def other_scheduler(db: None) -> Iterator[None]:
    """Another process is in the middle of a round: it holds the lock."""
    other = psycopg2.connect(**connection.get_connection_params())
    with other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [recovery._RECONCILE_LOCK])
        yield
    other.close()


def running(study: Study, model_version: ModelVersion, *, lease_seconds: int, attempts: int = 1) -> Job:
    lease_until = Now() + timedelta(seconds=lease_seconds)
    return make_job(study, model_version, JobStatus.RUNNING, lease_until=lease_until, attempts=attempts)


def unheard(study: Study, model_version: ModelVersion, *, seconds: int) -> Job:
    long_ago = Now() - timedelta(seconds=seconds)
    return make_job(study, model_version, ready_at=long_ago, rung_at=long_ago)


def test_a_job_whose_lease_is_over_is_queued_again(
    study: Study,
    model_version: ModelVersion,
    doorbell: Doorbell,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    job = running(study, model_version, lease_seconds=-1)
    with django_capture_on_commit_callbacks(execute=True):
        assert reconcile() == Reconciled(recovered=1)
    job.refresh_from_db()
    assert (job.status, job.attempts, job.lease_until) == (JobStatus.QUEUED, 1, None)
    transition = job.transitions.get()
    assert (transition.move, transition.by, transition.detail) == (Move.RECOVER, "scheduler", "worker_lost")
    assert doorbell.rings() == 0  # it is not to be claimed yet


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1), (2, 2), (3, 4), (5, 16)])
def test_a_lost_job_waits_twice_as_long_each_time(
    study: Study, model_version: ModelVersion, settings: LazySettings, attempts: int, seconds: int
) -> None:
    settings.CXR_MAX_ATTEMPTS = 9
    job = running(study, model_version, lease_seconds=-1, attempts=attempts)
    reconcile()
    assert claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1) == []
    waits = Job.objects.values_list(F("ready_at") - Now(), flat=True).get(pk=job.pk)
    assert timedelta(seconds=seconds - 0.5) < waits < timedelta(seconds=seconds)


def test_when_its_time_has_come_a_lost_job_is_rung_for_at_once(
    study: Study,
    model_version: ModelVersion,
    doorbell: Doorbell,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    running(study, model_version, lease_seconds=-1)
    reconcile()
    Job.objects.update(ready_at=Now())
    Job.objects.update(rung_at=Now() - timedelta(seconds=1))
    with django_capture_on_commit_callbacks(execute=True):
        assert reconcile() == Reconciled(rung=1)
    assert doorbell.rings() == 1
    assert len(claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1)) == 1


def test_a_job_whose_lease_still_runs_is_left_alone(study: Study, model_version: ModelVersion) -> None:
    job = running(study, model_version, lease_seconds=5)
    before = row(job)
    assert reconcile() == Reconciled()
    assert row(job) == before


def test_a_job_that_lost_its_worker_too_often_fails_with_words(
    study: Study, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_MAX_ATTEMPTS = 2
    last = running(study, model_version, lease_seconds=-1, attempts=2)
    first = running(study, model_version, lease_seconds=-1, attempts=1)
    assert reconcile() == Reconciled(recovered=1, abandoned=1)
    last.refresh_from_db()
    first.refresh_from_db()
    assert (last.status, last.error_code) == (JobStatus.FAILED, "worker_lost")
    assert "stopped 2 times while it read this image" in last.error_message
    assert last.ended_at
    assert last.transitions.get().move == Move.ABANDON
    assert first.status == JobStatus.QUEUED


def test_a_job_that_kills_every_worker_ends_after_the_allowed_attempts(
    study: Study, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_MAX_ATTEMPTS = 3
    job = make_job(study, model_version)
    claims = 0
    while claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1):
        claims += 1
        Job.objects.update(lease_until=Now() - timedelta(seconds=1))
        reconcile()
        Job.objects.update(ready_at=Now())
    job.refresh_from_db()
    assert (claims, job.status) == (3, JobStatus.FAILED)


def test_an_abandoned_job_is_on_record_like_any_other_end(study: Study, model_version: ModelVersion) -> None:
    job = running(study, model_version, lease_seconds=-1, attempts=99)
    reconcile()
    event = last_event(AuditAction.RESULT_RECORDED)
    assert (event.object_id, event.detail["status"]) == (str(job.pk), "failed")


def test_a_queued_job_that_nobody_heard_of_is_rung_for_again(
    study: Study,
    model_version: ModelVersion,
    doorbell: Doorbell,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    unheard(study, model_version, seconds=9)
    unheard(study, model_version, seconds=600)
    with django_capture_on_commit_callbacks(execute=True):
        assert reconcile() == Reconciled(rung=2)
    assert doorbell.rings() == 1
    with django_capture_on_commit_callbacks(execute=True):
        assert reconcile() == Reconciled()
    assert doorbell.rings() == 1


def test_a_job_that_was_just_rung_for_is_given_time(
    study: Study,
    model_version: ModelVersion,
    doorbell: Doorbell,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    unheard(study, model_version, seconds=5)
    with django_capture_on_commit_callbacks(execute=True):
        assert reconcile() == Reconciled()
    assert doorbell.rings() == 0


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.QUEUED])
def test_nobody_is_rung_for_a_job_that_does_not_wait(
    study: Study, model_version: ModelVersion, status: JobStatus
) -> None:
    make_job(study, model_version, status, rung_at=Now() - timedelta(hours=1))
    assert reconcile() == Reconciled()


@pytest.mark.usefixtures("other_scheduler")
def test_a_round_does_nothing_while_another_process_is_at_one(study: Study, model_version: ModelVersion) -> None:
    jobs = [running(study, model_version, lease_seconds=-1), unheard(study, model_version, seconds=600)]
    before = [row(job) for job in jobs]
    assert reconcile() == Reconciled()
    assert [row(job) for job in jobs] == before


def test_a_round_goes_by_the_databases_clock(
    study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = running(study, model_version, lease_seconds=20)
    # The host's clock runs an hour ahead. Were it asked, the lease would be over.
    monkeypatch.setattr("django.utils.timezone.now", lambda: job.created_at + timedelta(hours=1))
    assert reconcile() == Reconciled()


@pytest.mark.parametrize("status", RETRIABLE)
def test_a_retry_queues_the_job_with_all_its_attempts_before_it(
    study: Study,
    model_version: ModelVersion,
    administrator: User,
    doorbell: Doorbell,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    status: JobStatus,
) -> None:
    job = make_job(study, model_version, status, attempts=3)
    with django_capture_on_commit_callbacks(execute=True):
        assert retry_job(job=job, actor=user_actor(administrator), reason="New film came") is True
        assert doorbell.rings() == 0
    assert doorbell.rings() == 1
    job.refresh_from_db()
    assert (job.status, job.attempts, job.ended_at) == (JobStatus.QUEUED, 0, None)
    assert (job.error_code, job.error_message) == ("", "")


def test_a_retry_is_on_record_by_its_code_and_its_words_are_with_the_job_alone(
    study: Study, model_version: ModelVersion, administrator: User
) -> None:
    job = make_job(study, model_version, JobStatus.FAILED, error_code="worker_lost")
    retry_job(job=job, actor=user_actor(administrator, "192.0.2.9"), reason="The disk was full")
    event = last_event(AuditAction.JOB_RETRIED)
    assert (event.actor_name, event.actor_roles, event.address) == ("administrator", "administrator", "192.0.2.9")
    assert (event.object_type, event.object_id) == ("job", str(job.pk))
    assert event.detail == {"code": "worker_lost", "reason_given": True}
    transition = job.transitions.get()
    assert (transition.by, transition.detail) == ("administrator", "worker_lost")
    assert row(job)["retry_reason"] == "The disk was full"


@pytest.mark.parametrize("status", NOT_RETRIABLE)
def test_a_job_that_neither_failed_nor_was_refused_is_not_retried(
    study: Study,
    model_version: ModelVersion,
    administrator: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    status: JobStatus,
) -> None:
    job = make_job(study, model_version, status)
    before = row(job)
    with django_capture_on_commit_callbacks() as after_commit:
        assert retry_job(job=job, actor=user_actor(administrator), reason="Please") is False
    assert after_commit == []
    assert row(job) == before
    assert not JobTransition.objects.exists()
    assert not AuditEvent.objects.filter(action=AuditAction.JOB_RETRIED).exists()


def test_a_retry_that_cannot_be_put_on_record_does_not_happen(
    study: Study, model_version: ModelVersion, administrator: User
) -> None:
    job = make_job(study, model_version, JobStatus.FAILED)
    before = row(job)
    with broken_audit():
        with pytest.raises(DatabaseError, match="append-only"):
            retry_job(job=job, actor=user_actor(administrator), reason="Please")
        assert row(job) == before


def test_a_retried_job_is_read_and_done(study: Study, model_version: ModelVersion, administrator: User) -> None:
    job = make_job(study, model_version, JobStatus.REFUSED)
    retry_job(job=job, actor=user_actor(administrator), reason="It is a chest")
    [claim] = claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1)
    assert complete_job(claim=claim, outcome=outcome()) is True
    assert Result.objects.get().job == job


def test_a_claim_from_before_a_retry_writes_nothing(
    study: Study, model_version: ModelVersion, administrator: User
) -> None:
    make_job(study, model_version)
    [stale] = claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1)
    fail_job(claim=stale, code="internal_error", message="Why.")
    retry_job(job=Job.objects.get(), actor=user_actor(administrator), reason="Again")
    [_] = claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1)
    assert complete_job(claim=stale, outcome=outcome()) is False
    assert not Result.objects.exists()
