"""A storage that does not give what was sent: jobs wait for it, as long as they have attempts."""

import errno
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db.models import F
from django.db.models.functions import Now

from diagnoses import storage
from diagnoses.models import Job, JobTransition, ModelVersion, Study
from diagnoses.services.jobs import claim_jobs
from diagnoses.services.recovery import reconcile
from diagnoses.states import JobStatus
from tests.diagnoses.factory import make_job, make_study
from tests.workers.test_drain import ToldReader, a_runtime, claimed, ends, read_batch
from workers.drain import drain


@pytest.fixture
def study(clinician: User, model_version: ModelVersion) -> Study:
    return make_study(clinician, model_version)


def test_a_storage_that_fails_for_a_while_costs_no_job_its_answer(
    study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = claimed(study, model_version, "one", "two")
    with monkeypatch.context() as outage:
        outage.setattr(storage, "read", _broken_storage)
        read_batch(a_runtime(model_version, ToldReader()), claims)
    assert ends() == {"one": ("queued", ""), "two": ("queued", "")}
    later = Job.objects.filter(ready_at__gt=Now() + timedelta(seconds=20), lease_until=None)
    assert later.count() == 2, "nobody asks a broken storage again at once"
    assert {step.detail for step in JobTransition.objects.filter(move="recover")} == {"file_unreadable"}
    Job.objects.update(ready_at=Now())
    reader = ToldReader()
    drain(a_runtime(model_version, reader))
    assert ends() == {"one": ("done", ""), "two": ("done", "")}
    assert sorted(reader.batches) == [[b"one"], [b"two"]], "no worker died, so neither is read in a process of its own"


def test_a_job_that_was_put_aside_and_then_took_a_worker_down_is_read_alone(
    study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.CXR_MAX_ATTEMPTS = 4
    make_job(study, model_version, data=b"one")
    with monkeypatch.context() as outage:
        outage.setattr(storage, "read", _broken_storage)
        drain(a_runtime(model_version, ToldReader()))
    Job.objects.update(ready_at=Now())
    [claim] = claim_jobs(worker_name="reader-2", model_versions=[model_version], limit=1)
    assert not claim.is_suspect
    Job.objects.update(lease_until=Now() - timedelta(seconds=1))
    reconcile()
    Job.objects.update(ready_at=Now())
    [claim] = claim_jobs(worker_name="reader-2", model_versions=[model_version], limit=1)
    assert claim.is_suspect


def test_a_storage_that_fails_for_ever_fails_a_job_once_its_attempts_are_spent(
    study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    make_job(study, model_version, data=b"one")
    monkeypatch.setattr(storage, "read", _broken_storage)
    waits: list[timedelta] = []
    for _attempt in range(settings.CXR_MAX_ATTEMPTS):
        drain(a_runtime(model_version, ToldReader()))
        waits += Job.objects.filter(status=JobStatus.QUEUED).values_list(F("ready_at") - Now(), flat=True)
        Job.objects.update(ready_at=Now())
    assert [round(wait / timedelta(seconds=settings.CXR_LEASE_SECONDS)) for wait in waits] == [1, 2]
    job = Job.objects.get()
    assert (job.status, job.error_code) == (JobStatus.FAILED, "file_unreadable")


def _broken_storage(name: str) -> bytes:
    raise OSError(errno.EIO, "Input/output error", name)
