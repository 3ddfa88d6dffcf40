"""Exports are packed by a worker that has nothing to read, and by it alone."""

from collections.abc import Iterator
from typing import Any

import pytest

from diagnoses.audit import user_actor
from diagnoses.models import Export, Job, ModelVersion, Study
from diagnoses.roles import Role
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.services import exporting
from diagnoses.services.packing import pack
from diagnoses.states import JobStatus
from tests.conftest import make_user
from tests.diagnoses.factory import make_job, make_study, stored_files
from tests.workers.test_drain import ToldReader, a_runtime
from workers import packing
from workers.drain import drain
from workers.packing import Packer
from workers.runtime import Runtime

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(model_version: ModelVersion) -> Study:
    return make_study(make_user("sender", Role.CLINICIAN), model_version, JobStatus.DONE, JobStatus.DONE)


@pytest.fixture
def export(study: Study) -> Export:
    user = study.submitted_by
    return exporting.request_export(actor=user_actor(user), user=user, query="", wanted=HistoryFilter())


@pytest.fixture
def runtime(model_version: ModelVersion) -> Runtime:
    return a_runtime(model_version, ToldReader())


def status_of(export: Export) -> str:
    export.refresh_from_db()
    return export.status


def meanwhile(monkeypatch: pytest.MonkeyPatch, at_step: int, act: Any) -> None:
    """Something happens before a step of packing."""

    def steps(claim: Any) -> Iterator[None]:
        for number, _ in enumerate(pack(claim), 1):
            if number == at_step:
                act()
            yield

    monkeypatch.setattr(packing, "pack", steps)


def test_an_idle_worker_packs_what_was_asked_for(runtime: Runtime, export: Export) -> None:
    Packer(runtime).pack_next()
    assert status_of(export) == "done"


def test_with_nothing_asked_for_nothing_happens(runtime: Runtime, model_version: ModelVersion) -> None:
    Packer(runtime).pack_next()
    assert not Export.objects.exists()


def test_a_worker_that_has_something_to_read_packs_nothing(
    runtime: Runtime, export: Export, study: Study, model_version: ModelVersion
) -> None:
    job = make_job(study, model_version)
    Packer(runtime).pack_next()
    assert status_of(export) == "queued"
    Job.objects.filter(pk=job.pk).update(status=JobStatus.DONE)
    runtime.busy_since = 1.0
    Packer(runtime).pack_next()
    assert status_of(export) == "queued"


def test_a_study_that_comes_meanwhile_is_read_before_the_next_picture_is_packed(
    runtime: Runtime, export: Export, study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    packer = Packer(runtime)
    waited: list[str] = []

    def read_it(_: float) -> bool:
        waited.append(status_of(export))
        drain(runtime)
        return False

    meanwhile(monkeypatch, 2, lambda: make_job(study, model_version, data=b"late"))
    monkeypatch.setattr(packer._stopped, "wait", read_it)
    packer.pack_next()
    assert waited == ["running"]
    assert status_of(export) == "done"
    assert Job.objects.get(image__position=2).status == "done"


def test_a_worker_that_is_stopped_leaves_it_to_the_next_and_no_file_behind(
    runtime: Runtime, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = stored_files()
    packer = Packer(runtime)
    meanwhile(monkeypatch, 1, packer._stopped.set)
    packer.pack_next()
    assert status_of(export) == "queued"
    assert export.attempts == 0
    assert stored_files() == kept
    monkeypatch.undo()


def test_an_export_stays_in_hand_however_long_reading_takes(
    runtime: Runtime, export: Export, study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_KEEP_EVERY_SECONDS", 0)
    packer = Packer(runtime)
    ends = []

    def wait(_: float) -> bool:
        export.refresh_from_db()
        ends.append(export.lease_until)
        if len(ends) == 3:
            drain(runtime)
        return False

    meanwhile(monkeypatch, 1, lambda: make_job(study, model_version, data=b"late"))
    monkeypatch.setattr(packer._stopped, "wait", wait)
    packer.pack_next()
    assert len(ends) == 3
    assert status_of(export) == "done"
