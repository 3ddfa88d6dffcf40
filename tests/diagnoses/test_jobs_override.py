"""A clinician has an image read that the gate refused; the result says so for ever."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models.functions import Now
from pytest_django import DjangoCaptureOnCommitCallbacks

from diagnoses.audit import Actor, user_actor
from diagnoses.imaging.errors import GATE_FAULTS, ImageFault
from diagnoses.models import AuditEvent, Job, ModelVersion, Result, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import INDETERMINATE_WORDS, WARNING_WORDS, Indeterminacy, Purpose, ReadingWarning
from diagnoses.services.jobs import claim_jobs
from diagnoses.services.retrying import override_refusal, retry_job
from diagnoses.states import JobStatus, Move
from tests.diagnoses.claiming import complete_job, fail_job
from tests.diagnoses.conftest import Doorbell
from tests.diagnoses.factory import broken_audit, last_event, make_job, make_result, make_study, outcome, row

REASON = "It is a chest; the child was held at an angle."


@pytest.fixture
def study(clinician: User, model_version: ModelVersion) -> Study:
    return make_study(clinician, model_version)


@pytest.fixture
def actor(clinician: User) -> Actor:
    return user_actor(clinician, "192.0.2.7")


def refused(study: Study, model_version: ModelVersion, code: str = ImageFault.NOT_FRONTAL, **fields: Any) -> Job:
    return make_job(study, model_version, JobStatus.REFUSED, error_code=code, error_message="Refused.", **fields)


@pytest.mark.parametrize("fault", sorted(GATE_FAULTS))
def test_an_overridden_refusal_is_queued_afresh(
    study: Study, model_version: ModelVersion, actor: Actor, fault: ImageFault
) -> None:
    job = refused(study, model_version, fault, attempts=3)
    assert override_refusal(job=job, actor=actor, reason=f" {REASON} ") is True
    job.refresh_from_db()
    assert (job.status, job.attempts, job.error_code, job.error_message) == (JobStatus.QUEUED, 0, "", "")
    assert (job.override_code, job.override_reason, job.override_by) == (fault, REASON, "clinician")
    assert job.override_at is not None
    assert job.transitions.get().move == Move.OVERRIDE


@pytest.mark.parametrize("fault", sorted(set(ImageFault) - GATE_FAULTS))
def test_a_file_that_cannot_be_read_is_not_read_by_wishing(
    study: Study, model_version: ModelVersion, actor: Actor, fault: ImageFault
) -> None:
    job = refused(study, model_version, fault)
    before = row(job)
    assert override_refusal(job=job, actor=actor, reason=REASON) is False
    assert row(job) == before
    assert not AuditEvent.objects.filter(action=AuditAction.REFUSAL_OVERRIDDEN).exists()


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.REFUSED])
def test_only_a_refusal_is_overridden(
    study: Study, model_version: ModelVersion, actor: Actor, status: JobStatus
) -> None:
    job = make_job(study, model_version, status, error_code="not_frontal")
    before = row(job)
    assert override_refusal(job=job, actor=actor, reason=REASON) is False
    assert row(job) == before


def test_a_shadows_refusal_is_not_overridden(study: Study, model_version: ModelVersion, actor: Actor) -> None:
    job = refused(study, model_version, purpose=Purpose.SHADOW)
    assert override_refusal(job=job, actor=actor, reason=REASON) is False


@pytest.mark.parametrize("reason", ["", " \n"])
def test_an_override_needs_a_reason(study: Study, model_version: ModelVersion, actor: Actor, reason: str) -> None:
    job = refused(study, model_version)
    with pytest.raises(ValueError, match="Say why"):
        override_refusal(job=job, actor=actor, reason=reason)
    job.refresh_from_db()
    assert job.status == JobStatus.REFUSED


@pytest.mark.parametrize("lacking", ["override_code", "override_reason", "override_by"])
def test_the_database_takes_no_override_without_who_and_why(
    study: Study, model_version: ModelVersion, lacking: str
) -> None:
    job = refused(study, model_version)
    whole = {"override_code": "not_frontal", "override_reason": REASON, "override_by": "clinician"}
    with pytest.raises(IntegrityError, match="job_override_has_its_reason"), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(**whole | {lacking: "", "override_at": Now()})


def test_an_override_is_on_record_and_rings(
    study: Study,
    model_version: ModelVersion,
    actor: Actor,
    doorbell: Doorbell,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    job = refused(study, model_version)
    with django_capture_on_commit_callbacks(execute=True):
        override_refusal(job=job, actor=actor, reason=REASON)
    event = last_event(AuditAction.REFUSAL_OVERRIDDEN)
    assert (event.actor_name, event.address, event.object_id) == ("clinician", "192.0.2.7", str(job.pk))
    assert event.detail == {"code": "not_frontal", "reason_given": True}
    assert job.transitions.get().detail == "not_frontal"
    assert doorbell.rings() == 1


def test_an_override_that_cannot_be_put_on_record_does_not_happen(
    study: Study, model_version: ModelVersion, actor: Actor
) -> None:
    job = refused(study, model_version)
    with broken_audit(), pytest.raises(DatabaseError), transaction.atomic():
        override_refusal(job=job, actor=actor, reason=REASON)
    job.refresh_from_db()
    assert (job.status, job.override_code) == (JobStatus.REFUSED, "")


def test_the_worker_is_told_and_the_result_says_so_for_ever(
    study: Study, model_version: ModelVersion, actor: Actor
) -> None:
    job = refused(study, model_version)
    override_refusal(job=job, actor=actor, reason=REASON)
    [claim] = claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1)
    assert claim.gate_overridden is True
    complete_job(claim=claim, outcome=outcome(warnings=("not_frontal",)))
    result = Result.objects.get()
    assert (result.override_code, result.override_reason, result.override_by) == ("not_frontal", REASON, "clinician")
    assert result.warnings == ["not_frontal"]


def test_an_override_outlives_a_failure_and_its_retry(
    study: Study, model_version: ModelVersion, actor: Actor, administrator: User
) -> None:
    job = refused(study, model_version)
    override_refusal(job=job, actor=actor, reason=REASON)
    [claim] = claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1)
    fail_job(claim=claim, code="internal_error", message="The reading failed on the server.")
    retry_job(job=job, actor=user_actor(administrator), reason="The disk has room again.")
    [again] = claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1)
    assert again.gate_overridden is True


def test_each_reason_and_warning_has_words_that_say_what_to_do() -> None:
    assert set(INDETERMINATE_WORDS) == set(Indeterminacy)
    assert set(WARNING_WORDS) == set(ReadingWarning) >= set(GATE_FAULTS)
    for words in [*INDETERMINATE_WORDS.values(), *WARNING_WORDS.values()]:
        assert len(str(words).split(". ")) > 1, "one sentence says what it is, the next what to do"


def test_a_result_says_in_words_what_it_says_in_codes(study: Study, model_version: ModelVersion) -> None:
    sure, unsure = (make_job(study, model_version, JobStatus.RUNNING) for _ in range(2))
    result = make_result(sure)
    assert (result.indeterminate, result.indeterminate_words, result.warning_words) == (False, "", [])
    result = make_result(unsure, indeterminate_reason="unstable", warnings=["outside_age", "of_a_newer_worker"])
    assert result.indeterminate is True
    assert result.indeterminate_words == INDETERMINATE_WORDS["unstable"]
    assert result.warning_words == [WARNING_WORDS["outside_age"], "of_a_newer_worker"]
