"""What becomes of jobs whose model is not shipped any more."""

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoCaptureOnCommitCallbacks

from diagnoses.models import Job, ModelVersion, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import Purpose
from diagnoses.models.registry import Standing
from diagnoses.selectors.studies import study_state
from diagnoses.services.jobs import claim_jobs
from diagnoses.services.recovery import Reconciled, reconcile
from diagnoses.states import JobStatus, Move
from tests.diagnoses.conftest import Doorbell
from tests.diagnoses.factory import last_event, make_job, make_job_of, make_model_version, make_study, row


@pytest.fixture
def study(clinician: User, model_version: ModelVersion) -> Study:
    return make_study(clinician, model_version)


@pytest.fixture
def gone(db: None) -> ModelVersion:
    return make_model_version(version="0.9.0", available=False)


def test_a_job_that_waits_for_a_model_that_is_gone_goes_to_the_live_one(
    study: Study,
    model_version: ModelVersion,
    gone: ModelVersion,
    doorbell: Doorbell,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    job = make_job(study, gone)
    with django_capture_on_commit_callbacks(execute=True):
        assert reconcile() == Reconciled(retargeted=1)
    assert doorbell.rings() == 1
    job.refresh_from_db()
    assert (job.status, job.model_version, job.purpose) == (JobStatus.QUEUED, model_version, Purpose.PRIMARY)
    transition = job.transitions.get()
    assert (transition.move, transition.by, transition.detail) == (Move.RETARGET, "scheduler", f"to {model_version}")
    assert len(claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=9)) == 1


def test_a_job_of_a_model_that_is_there_is_left_alone(study: Study, model_version: ModelVersion) -> None:
    jobs = [make_job(study, model_version), make_job(study, make_model_version(name="xception"))]
    before = [row(job) for job in jobs]
    assert reconcile() == Reconciled()
    assert [row(job) for job in jobs] == before


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.QUEUED])
def test_what_a_model_that_is_gone_has_read_stays(
    study: Study, model_version: ModelVersion, gone: ModelVersion, status: JobStatus
) -> None:
    job = make_job(study, gone, status)
    before = row(job)
    assert reconcile() == Reconciled()
    assert row(job) == before


def test_an_image_that_the_live_model_has_read_is_not_read_by_it_twice(
    study: Study, model_version: ModelVersion, gone: ModelVersion
) -> None:
    done = make_job(study, model_version, JobStatus.DONE)
    asked = make_job_of(done.image, gone, purpose=Purpose.REREAD)
    assert reconcile() == Reconciled(withdrawn=1)
    asked.refresh_from_db()
    assert (asked.status, asked.error_code) == (JobStatus.FAILED, "model_withdrawn")
    assert asked.error_message == (
        "This model is not on this site any more. See what mobilenet_v2 1.0.0 says of this image."
    )
    assert last_event(AuditAction.RESULT_RECORDED).object_id == str(asked.pk)
    assert reconcile() == Reconciled()


def test_of_two_that_wait_for_models_that_are_gone_one_reads_the_image(
    study: Study, model_version: ModelVersion, gone: ModelVersion
) -> None:
    first = make_job(study, gone)
    second = make_job_of(first.image, make_model_version(version="0.8.0", available=False), purpose=Purpose.REREAD)
    assert reconcile() == Reconciled(retargeted=1, withdrawn=1)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.model_version, first.status) == (model_version, JobStatus.QUEUED)
    assert (second.status, second.error_code) == (JobStatus.FAILED, "model_withdrawn")


def test_a_shadow_that_is_gone_reads_nothing_with_another_model(
    study: Study, model_version: ModelVersion, gone: ModelVersion
) -> None:
    shadow = make_job(study, gone, purpose=Purpose.SHADOW)
    assert reconcile() == Reconciled(withdrawn=1)
    shadow.refresh_from_db()
    assert (shadow.model_version, shadow.status, shadow.purpose) == (gone, JobStatus.FAILED, Purpose.SHADOW)


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.DONE])
def test_where_the_shadow_has_taken_over_its_reading_is_shown(
    clinician: User, study: Study, model_version: ModelVersion, gone: ModelVersion, status: JobStatus
) -> None:
    waiting = make_job(study, gone)
    shadowed = make_job_of(waiting.image, model_version, status, purpose=Purpose.SHADOW)
    assert reconcile() == Reconciled(withdrawn=1)
    [image] = study_state(clinician, study.pk).images
    assert (image.job, image.other_jobs) == (shadowed, [waiting])


def test_without_a_live_model_everything_waits(study: Study, gone: ModelVersion) -> None:
    ModelVersion.objects.filter(standing=Standing.LIVE).update(standing=Standing.CANDIDATE)
    make_job(study, gone)
    assert reconcile() == Reconciled()
    assert Job.objects.get().status == JobStatus.QUEUED
