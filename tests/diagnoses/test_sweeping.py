"""Files without a row go, once they are old enough to be a crash's; files with one stay, whatever happens."""

import logging
import os
import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.conf import LazySettings, settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from diagnoses import storage
from diagnoses.management.commands import scheduler
from diagnoses.models import Image, ModelVersion, Patient, Study
from diagnoses.selectors.files import images_without_file
from diagnoses.services import sweeping
from diagnoses.services.sweeping import sweep_orphans
from diagnoses.states import JobStatus
from tests.diagnoses.factory import make_job, make_study, queries_of, stored_files
from tests.threads import in_a_thread, no_database

DAY = 24 * 60 * 60
SWEEPS = [
    "forget_old_failures",
    "forget_ended_sessions",
    "remove_expired_exports",
    "sweep_quarantine",
    "sweep_orphans",
    "purge_studies",
]
UNFINISHED = "originals/ab/abcdef.0123456789abcdef.part"


@pytest.fixture(autouse=True)
def _old_database(db: None) -> None:
    """The database has been there for longer than any file of these tests."""
    MigrationRecorder.Migration.objects.update(applied=timezone.now() - timedelta(days=30))


def path_of(name: str) -> Path:
    return Path(settings.MEDIA_ROOT) / name


def grow_old(*names: str, seconds: float = 2 * DAY) -> None:
    """Files that were written so long ago."""
    at = time.time() - seconds
    for name in names:
        os.utime(path_of(name), (at, at))


def orphan(name: str = "", **age: float) -> str:
    """A file that no row speaks of."""
    name = name or storage.new_original_name()
    storage.write(name, b"of nobody")
    grow_old(name, **age)
    return name


@pytest.fixture
def kept(clinician: User, model_version: ModelVersion) -> Study:
    """Two images in storage with their rows, one of them read, all of their files old."""
    study = make_study(clinician, model_version, JobStatus.DONE, JobStatus.QUEUED)
    grow_old(*names_in_storage())
    return study


def names_in_storage() -> set[str]:
    return {file.name for file in storage.listing()}


def test_an_old_file_without_a_row_is_removed_and_those_with_rows_stay(kept: Study) -> None:
    before = names_in_storage()
    lost = orphan()
    assert sweep_orphans() == [lost]
    assert names_in_storage() == before
    assert len(before) == 2


def test_an_old_file_of_an_erased_patient_is_removed_though_its_row_stays(kept: Study) -> None:
    names = names_in_storage()
    Patient.objects.filter(pk=kept.subject_id).update(erased_at=timezone.now())
    assert set(sweep_orphans()) == names
    assert names_in_storage() == set()
    assert kept.images.count() == 2


@pytest.mark.parametrize("name", [UNFINISHED, "heatmaps/ab/abcdef-1.png"], ids=["unfinished", "heatmap"])
def test_whatever_a_crash_left_in_our_folders_is_removed(name: str) -> None:
    orphan(name)
    assert sweep_orphans() == [name]
    assert stored_files() == []


@pytest.mark.parametrize("clock", ["timezone.now", "database_time"])
def test_a_clock_that_is_ahead_makes_no_file_old(monkeypatch: pytest.MonkeyPatch, clock: str) -> None:
    orphan(seconds=0)
    ahead = timezone.now() + timedelta(days=2)
    monkeypatch.setattr(f"diagnoses.services.sweeping.{clock}", lambda: ahead)
    assert sweep_orphans() == []


def test_a_file_is_left_alone_until_its_time_is_over(settings: LazySettings) -> None:
    settings.CXR_ORPHAN_SECONDS = 600
    orphan("originals/ab/young", seconds=590)
    orphan("originals/ab/old", seconds=610)
    assert sweep_orphans() == ["originals/ab/old"]
    assert names_in_storage() == {"originals/ab/young"}


def test_by_default_a_file_has_a_day() -> None:
    orphan("originals/ab/young", seconds=DAY - 60)
    orphan("originals/ab/old", seconds=DAY + 60)
    assert sweep_orphans() == ["originals/ab/old"]


def test_what_lies_beside_our_folders_is_not_ours() -> None:
    orphan("lost+found/something")
    orphan("notes.txt")
    assert sweep_orphans() == []
    assert len(stored_files()) == 2


def test_a_new_database_removes_nothing_that_is_older_than_itself(caplog: pytest.LogCaptureFixture) -> None:
    MigrationRecorder.Migration.objects.update(applied=timezone.now() - timedelta(days=3))
    orphan("originals/ab/of-the-database-before", seconds=4 * DAY)
    orphan("originals/ab/of-this-one")
    with caplog.at_level(logging.WARNING):
        assert sweep_orphans() == ["originals/ab/of-this-one"]
    assert "1 files are older than the database; whether it speaks of them or not, they stay" in caplog.messages


def test_each_removed_file_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    lost = orphan()
    with caplog.at_level(logging.WARNING):
        sweep_orphans()
    assert caplog.messages == [f"Removed {lost}, which no row speaks of"]


def test_a_dry_run_names_what_would_be_removed_and_removes_nothing() -> None:
    lost = orphan()
    assert sweep_orphans(dry_run=True) == [lost]
    assert names_in_storage() == {lost}


def test_the_database_is_asked_in_chunks_and_about_old_files_alone(
    kept: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_AT_ONCE", 2)
    lost = {orphan() for _ in range(4)}
    young = {orphan(seconds=0) for _ in range(4)}
    swept: list[str] = []
    asked = [sql for sql in queries_of(lambda: swept.extend(sweep_orphans())) if "stored_name" in sql]
    assert set(swept) == lost
    assert len(asked) == 3, "six old files, two at once"
    assert young <= names_in_storage()


def database_that_answers(questions: int) -> Callable[..., Any]:
    """A database that is cut off after so many questions after names, in earnest."""
    asked = 0

    def cut_off(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal asked
        asked += "stored_name" in sql
        if asked > questions:
            with psycopg2.connect(**connection.get_connection_params()) as other, other.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.get_backend_pid()])
            other.close()
        return execute(sql, params, many, context)

    return cut_off


def test_nothing_is_removed_that_the_database_could_not_be_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "_AT_ONCE", 2)
    monkeypatch.setattr(sweeping, "database_began_at", lambda: timezone.now() - timedelta(days=30))
    for _ in range(6):
        orphan()

    def sweep() -> None:
        with connection.execute_wrapper(database_that_answers(1)):
            sweep_orphans()

    with pytest.raises(DatabaseError):
        in_a_thread(sweep)
    assert len(stored_files()) == 4, "two were asked about and removed; of the others nothing is known"


def test_a_file_that_cannot_be_removed_keeps_none_of_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stuck, lost, real = orphan(), orphan(), storage.remove

    def remove(name: str) -> None:
        if name == stuck:
            raise PermissionError(name)
        real(name)

    monkeypatch.setattr(storage, "remove", remove)
    assert sweep_orphans() == [lost]
    assert names_in_storage() == {stuck}
    assert f"{stuck}, which no row speaks of, could not be removed" in caplog.messages


def test_an_image_whose_file_is_gone_is_found(kept: Study, model_version: ModelVersion) -> None:
    assert images_without_file() == []
    job = make_job(kept, model_version)
    storage.remove(job.image.stored_name)
    assert images_without_file() == [str(job.image_id)]


def test_a_file_whose_row_comes_while_files_are_listed_is_no_missing_one(
    kept: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = storage.listing

    def listing() -> list[storage.StoredFile]:
        files = list(real())
        make_job(kept, model_version)
        return files

    monkeypatch.setattr(storage, "listing", listing)
    assert images_without_file() == []
    assert Image.objects.count() == 3


def sweep_files(*arguments: str) -> str:
    out = StringIO()
    call_command("sweep_files", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_what_it_removed(kept: Study) -> None:
    lost = orphan()
    assert sweep_files() == f"Removed {lost}\nRemoved 1 files that no row speaks of.\n"
    assert lost not in names_in_storage()
    assert sweep_files() == "Removed 0 files that no row speaks of.\n"


def test_the_command_says_what_it_would_remove(kept: Study) -> None:
    lost = orphan()
    assert sweep_files("--dry-run") == f"Would remove {lost}\nWould remove 1 files that no row speaks of.\n"
    assert lost in names_in_storage()


def test_the_command_has_exit_status_1_where_an_image_has_lost_its_file(kept: Study) -> None:
    image = kept.images.first()
    assert image
    storage.remove(image.stored_name)
    with pytest.raises(CommandError, match=f"1 images have no file in storage: {image.pk}") as error:
        sweep_files()
    assert error.value.returncode == 1


def test_the_command_says_where_storage_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def listing() -> None:
        raise PermissionError("the share is away")

    monkeypatch.setattr(storage, "listing", listing)
    with pytest.raises(CommandError, match="Not all was looked at: the share is away"):
        sweep_files()


def test_the_scheduler_outlives_a_storage_that_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def listing() -> None:
        raise OSError("the share is away")

    monkeypatch.setattr(storage, "listing", listing)
    with caplog.at_level(logging.WARNING):
        in_a_thread(scheduler._sweep)
    assert caplog.messages == ["Files without a row: not done (the share is away); trying again later."]


def test_the_scheduler_outlives_a_database_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    lost = orphan()

    def sweep() -> None:
        with no_database():
            scheduler._sweep()

    with caplog.at_level(logging.WARNING):
        in_a_thread(sweep)
    assert all(words.endswith("not done (it is away); trying again later.") for words in caplog.messages)
    assert caplog.messages
    assert names_in_storage() == {lost}


@pytest.mark.parametrize("broken", SWEEPS)
@pytest.mark.parametrize("error", [OSError("away"), InterfaceError("connection already closed"), KeyError()])
def test_a_sweep_that_fails_keeps_none_of_the_others_from_their_work(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch, broken: str, error: Exception
) -> None:
    def sweep(name: str) -> None:
        if name == broken:
            raise error
        done.append(name)

    settings.CXR_RETENTION_DAYS = 30
    done: list[str] = []
    for name in SWEEPS:
        monkeypatch.setattr(scheduler, name, lambda name=name, **_: sweep(name))
    in_a_thread(scheduler._sweep)
    assert done == [name for name in SWEEPS if name != broken]


@pytest.mark.parametrize(("orphan_seconds", "every"), [(DAY, 3600), (5, 5)])
def test_the_scheduler_sweeps_at_its_start_and_then_each_hour_or_sooner(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch, orphan_seconds: int, every: int
) -> None:
    settings.CXR_ORPHAN_SECONDS = orphan_seconds
    done: list[str] = []

    class Stop:
        def wait(self, seconds: float) -> bool:
            done.append(f"wait {seconds:.0f}")
            return len(done) == 4

    monkeypatch.setattr(scheduler, "sweep_orphans", lambda: done.append("sweep"))
    in_a_thread(lambda: scheduler._sweep_again_and_again(Stop()))  # type: ignore[arg-type]
    assert done == ["sweep", f"wait {every}"] * 2
