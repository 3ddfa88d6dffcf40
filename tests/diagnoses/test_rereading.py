"""Reading an image again with another version: nothing is lost, and nothing is read twice."""

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks

from diagnoses.audit import Actor, user_actor
from diagnoses.models import Image, Job, ModelVersion
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import Purpose
from diagnoses.selectors.studies import study_state
from diagnoses.services.registry import report_worker
from diagnoses.services.rereading import RereadError, request_reread
from diagnoses.states import JobStatus
from tests.diagnoses.conftest import Doorbell
from tests.diagnoses.factory import broken_audit, last_event, make_job, make_job_of, make_model_version, make_study


@pytest.fixture
def actor(clinician: User) -> Actor:
    return user_actor(clinician, "192.0.2.7")


@pytest.fixture
def done(clinician: User, model_version: ModelVersion) -> Job:
    return make_job(make_study(clinician, model_version), model_version, JobStatus.DONE)


@pytest.fixture
def other(db: None) -> ModelVersion:
    return make_model_version(name="xception")


def test_a_reading_by_another_version_is_queued_beside_the_first(
    done: Job,
    other: ModelVersion,
    actor: Actor,
    doorbell: Doorbell,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        job = request_reread(actor=actor, image=done.image, model_version=other)
    job.refresh_from_db()
    assert (job.image, job.model_version, job.status, job.purpose) == (done.image, other, "queued", Purpose.REREAD)
    done.refresh_from_db()
    assert done.status == JobStatus.DONE
    assert doorbell.rings() == 1


def test_who_is_being_erased_is_waited_for_before_anything_is_copied(
    done: Job, other: ModelVersion, actor: Actor
) -> None:
    with CaptureQueriesContext(connection) as queries:
        request_reread(actor=actor, image=done.image, model_version=other)
    sent = [query["sql"] for query in queries]
    [held] = [at for at, sql in enumerate(sent) if '"diagnoses_patient"' in sql and "FOR NO KEY UPDATE" in sql]
    [made] = [at for at, sql in enumerate(sent) if sql.startswith('INSERT INTO "diagnoses_job"')]
    assert held < made


@pytest.mark.parametrize("urgent", [True, False])
def test_what_was_urgent_is_read_again_as_urgent(
    clinician: User, model_version: ModelVersion, other: ModelVersion, actor: Actor, *, urgent: bool
) -> None:
    study = make_study(clinician, model_version, JobStatus.DONE, urgent=urgent)
    job = request_reread(actor=actor, image=study.images.get(), model_version=other)
    assert job.urgent == urgent


def test_the_later_reading_stands_first_and_the_earlier_beside_it(
    clinician: User, done: Job, other: ModelVersion, actor: Actor
) -> None:
    before = study_state(clinician, done.image.study_id)
    job = request_reread(actor=actor, image=done.image, model_version=other)
    after = study_state(clinician, done.image.study_id)
    assert (after.images[0].job, after.images[0].other_jobs) == (job, [done])
    assert after.fingerprint != before.fingerprint


def test_a_request_is_on_record(done: Job, other: ModelVersion, actor: Actor) -> None:
    job = request_reread(actor=actor, image=done.image, model_version=other)
    event = last_event(AuditAction.READING_REQUESTED)
    assert (event.actor_name, event.object_id) == ("clinician", str(job.pk))
    assert event.detail == {"image": str(done.image_id), "model": "xception 2.0.0"}


def test_a_request_that_cannot_be_put_on_record_does_not_happen(done: Job, other: ModelVersion, actor: Actor) -> None:
    make_job_of(done.image, other, purpose=Purpose.SHADOW)
    with broken_audit(), pytest.raises(DatabaseError), transaction.atomic():
        request_reread(actor=actor, image=done.image, model_version=other)
    assert Job.objects.get(model_version=other).purpose == Purpose.SHADOW


@pytest.mark.parametrize("status", JobStatus)
def test_a_version_reads_an_image_once(
    clinician: User, model_version: ModelVersion, actor: Actor, status: JobStatus
) -> None:
    job = make_job(make_study(clinician, model_version), model_version, status)
    with pytest.raises(RereadError, match=r"mobilenet_v2 1\.0\.0 reads or has read this image already"):
        request_reread(actor=actor, image=job.image, model_version=model_version)
    assert Job.objects.get() == job


@pytest.mark.parametrize("status", JobStatus)
def test_what_the_version_did_as_a_shadow_is_shown_from_now_on(
    clinician: User, done: Job, other: ModelVersion, actor: Actor, status: JobStatus
) -> None:
    shadow = make_job_of(done.image, other, status, purpose=Purpose.SHADOW)
    assert request_reread(actor=actor, image=done.image, model_version=other) == shadow
    shadow.refresh_from_db()
    assert (shadow.purpose, shadow.status) == (Purpose.REREAD, status)
    [image] = study_state(clinician, done.image.study_id).images
    assert (image.job, image.other_jobs) == (shadow, [done])
    with pytest.raises(RereadError):
        request_reread(actor=actor, image=done.image, model_version=other)


def test_a_version_whose_files_are_gone_reads_nothing(done: Job, actor: Actor) -> None:
    gone = make_model_version(version="0.9.0", available=False)
    with pytest.raises(RereadError, match=r"mobilenet_v2 0\.9\.0 cannot read on this site now\. Choose another"):
        request_reread(actor=actor, image=done.image, model_version=gone)
    assert Image.objects.get().jobs.get() == done


def test_a_version_that_no_worker_could_load_is_not_waited_for(
    done: Job, model_version: ModelVersion, other: ModelVersion, actor: Actor
) -> None:
    report_worker(name="reader-1", model_versions=[model_version], engine="openvino")
    with pytest.raises(RereadError, match="cannot read on this site now"):
        request_reread(actor=actor, image=done.image, model_version=other)
