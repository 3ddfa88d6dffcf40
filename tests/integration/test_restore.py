"""The drill: a site is backed up while it works, destroyed, and restored into an empty one."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from diagnoses.management.commands.restore import NOTHING_RESTORED
from tests.chaos.books import Books, read_books
from tests.chaos.inputs import Inputs, Kind
from tests.chaos.invariant import breaches
from tests.chaos.ledger import Ledger
from tests.chaos.stream import Stream
from tests.conftest import SHIPPED_MODEL
from tests.integration.hands import stopped
from tests.integration.site import ROOT, Site, clean_environment, wait_until

QUEUED = 2
_OPEN = "SELECT count(*) FROM diagnoses_job WHERE status IN ('queued', 'running')"
_ANSWERS = "SELECT job_id::text, label, score, probability, image_sha256 FROM diagnoses_result ORDER BY 1"
_READINGS = "SELECT id::text, image_id::text, finding, reader_name, text, signed_at FROM diagnoses_reading ORDER BY 1"
_FILES_OF = """
SELECT i.stored_name FROM diagnoses_image i JOIN diagnoses_study s ON s.id = i.study_id
WHERE s.subject_id::text = ANY(%s)
"""
_SIGN = """
from django.contrib.auth.models import User
from diagnoses.audit import user_actor
from diagnoses.models import Image
from diagnoses.services.signing import Statement, sign_reading
user = User.objects.get(username="clinician")
for image in Image.objects.filter(jobs__status="done").distinct():
    sign_reading(actor=user_actor(user), image=image, statement=Statement({statement}))
"""


@dataclass
class Drill:
    """What was known before, and what is there after."""

    site: Site
    ledger: Ledger
    backups: Path
    keys: Path
    first: Path
    second: Path
    before: Books
    answers: list[tuple[Any, ...]]
    readings: list[tuple[Any, ...]]
    queued: set[str]
    patients: tuple[str, str, str]
    """One who stays, one who is erased after the first backup, and one of whom not even the row stays."""
    forgotten: set[str]
    """The files of the latter two."""
    lost: list[str]
    rpo: float
    said: list[str] = field(default_factory=list)
    rto: float = 0.0


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cxr-restore-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def drill(static_files: None, folder: Path) -> Iterator[Drill]:
    """Done once; the tests look at what came of it."""
    shutil.copytree(SHIPPED_MODEL, folder / "models" / "shipped")
    site = Site(folder, CXR_MODELS_DIR=str(folder / "models"), CXR_LEASE_SECONDS="3")
    try:
        drill = _work_and_back_up(site.start(), folder)
        _destroy(site)
        began = time.monotonic()
        drill.said.append(_restore(site, drill.first, drill.keys / drill.second.name))
        site.start().wait_until_ready()
        drill.rto = time.monotonic() - began
        _wait_for_all(site)
        yield drill
    finally:
        site.destroy()


def _work_and_back_up(site: Site, folder: Path) -> Drill:
    ledger, inputs = Ledger(), Inputs(6)
    stream = Stream(site, ledger, inputs, every_seconds=1)
    for _ in range(3):
        stream.deliver(inputs.study())
    stream.deliver([inputs.valid(), inputs._file(Kind.CUT), inputs._file(Kind.GARBLED)])
    _wait_for_all(site)
    _sign(site)
    backups, keys = folder / "backups", folder / "keys"
    with stopped(site.worker_child):
        stream.deliver([inputs.valid() for _ in range(QUEUED)])
        queued = {
            job for (job,) in site.rows("SELECT id::text FROM diagnoses_job WHERE status IN ('queued', 'running')")
        }
        assert len(queued) == QUEUED
        before, answers, readings = read_books(site), site.rows(_ANSWERS), site.rows(_READINGS)
        patients = _three_patients(site)
        forgotten = {name for (name,) in site.rows(_FILES_OF, list(patients[1:]))}
        first = _back_up(site, backups, keys)
        _forget(site, *patients)
        lost = [stream.deliver(inputs.study()).key for _ in range(3)]
        second = _back_up(site, backups, keys)
    for key in lost:
        del ledger.studies[key]
    made_at = json.loads((first / "manifest.json").read_text())["made_at"]
    rpo = time.time() - datetime.fromisoformat(made_at).timestamp()
    known = before, answers, readings, queued, patients, forgotten
    return Drill(site, ledger, backups, keys, first, second, *known, lost, rpo)


def _sign(site: Site) -> None:
    done = site.manage("shell", "--no-imports", "-c", _SIGN.format(statement="finding='NORMAL', text='Clear.'"))
    assert done.returncode == 0, done.stderr


def _three_patients(site: Site) -> tuple[str, str, str]:
    """Each of a study that was read."""
    found = site.rows("SELECT subject_id::text FROM diagnoses_study ORDER BY created_at LIMIT 3")
    [(kept,), (erased,), (removed,)] = found
    return kept, erased, removed


def _forget(site: Site, kept: str, erased: str, removed: str) -> None:
    site.rows(
        "UPDATE diagnoses_patient SET sealed_key = NULL, key_version = NULL, index = NULL, erased_at = now() "
        "WHERE id::text = %s RETURNING id",
        erased,
    )
    site.rows("UPDATE diagnoses_study SET subject_id = %s WHERE subject_id::text = %s RETURNING id", kept, removed)
    site.rows("DELETE FROM diagnoses_patient WHERE id::text = %s RETURNING id", removed)


def _back_up(site: Site, to: Path, keys: Path) -> Path:
    done = site.manage("backup", "--to", str(to), "--keys-to", str(keys))
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("Backup: ")]
    return Path(line.removeprefix("Backup: "))


def _destroy(site: Site) -> None:
    site.destroy()
    shutil.rmtree(site.var)


def _restore(site: Site, folder: Path, keys: Path, *, status: int = 0) -> str:
    """What it said."""
    done = subprocess.run(
        [sys.executable, "-m", "cxrsite.restore", str(folder), str(keys)],
        cwd=ROOT,
        env=clean_environment(CXR_VAR_DIR=str(site.var)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def _wait_for_all(site: Site) -> None:
    wait_until(lambda: not site.rows(_OPEN)[0][0], 90, "everything has its end", every_seconds=0.2)


def test_everything_that_was_backed_up_is_there_again_and_nothing_is_lost_or_read_twice(
    drill: Drill, capsys: pytest.CaptureFixture[str]
) -> None:
    books = read_books(drill.site, drill.ledger.studies)
    forgotten = {image.id for image in books.images if image.stored_name in drill.forgotten}
    assert forgotten
    found = breaches(drill.ledger, books)
    assert [breach for breach in found if breach.image_id not in forgotten] == []
    assert {breach.image_id for breach in found} == forgotten, "who is forgotten has no file"
    assert {study.id for study in books.studies} == {study.id for study in drill.before.studies}
    with capsys.disabled():
        count = len(drill.lost)
        print(f"\nRTO {drill.rto:.1f} s, RPO {drill.rpo:.1f} s ({count} studies lost that were sent after the backup)")


def test_what_waited_is_read_exactly_once(drill: Drill) -> None:
    jobs = {job.id: job for image in read_books(drill.site).images for job in image.jobs}
    assert all(jobs[job].status == "done" and jobs[job].results == 1 for job in drill.queued)
    assert all([step.move for step in jobs[job].steps].count("complete") == 1 for job in drill.queued)


def test_every_file_is_what_it_was(drill: Drill) -> None:
    assert drill.before.files
    before = {file.name: file for file in drill.before.files}
    after = {file.name: file for file in read_books(drill.site).files}
    assert before.keys() - after.keys() == drill.forgotten
    assert all(file == replace(before[name], age_seconds=file.age_seconds) for name, file in after.items())


def test_answers_and_signed_readings_are_what_they_were(drill: Drill) -> None:
    assert drill.answers
    assert set(drill.answers) <= set(drill.site.rows(_ANSWERS))
    images = {image.id for image in read_books(drill.site).images if image.stored_name in drill.forgotten}
    readings = {row[0]: (row[1] in images, row) for row in drill.readings}
    after = {row[0]: row for row in drill.site.rows(_READINGS)}
    assert {is_forgotten for is_forgotten, _ in readings.values()} == {True, False}
    assert {key: row for key, row in after.items() if not readings[key][0]} == {
        key: row for key, (is_forgotten, row) in readings.items() if not is_forgotten
    }
    assert {bytes(row[4]) for key, row in after.items() if readings[key][0]} == {b""}


def test_a_patient_who_was_erased_after_the_backup_stays_erased_and_the_others_are_read(drill: Drill) -> None:
    found = drill.site.rows(
        "SELECT p.id::text, p.sealed_key IS NULL, p.erased_at IS NULL, count(s.id) FROM diagnoses_patient p "
        "JOIN diagnoses_study s ON s.subject_id = p.id WHERE p.id::text IN (%s, %s, %s) GROUP BY p.id ORDER BY p.id",
        *drill.patients,
    )
    kept, erased, removed = drill.patients
    assert sorted(found) == sorted([(kept, False, True, 1), (erased, True, False, 1), (removed, True, False, 1)])
    assert "1 patients are not in the newer keys: they stay erased." in drill.said[0]


def test_nobody_is_signed_in_any_more_and_the_restore_is_on_record(drill: Drill) -> None:
    assert drill.site.rows("SELECT count(*) FROM django_session") == [(0,)]
    assert drill.site.rows("SELECT count(*) FROM diagnoses_apitoken") == [(0,)]
    events = dict(drill.site.rows("SELECT action, count(*) FROM diagnoses_auditevent GROUP BY action"))
    assert events["backup_restored"] == 1


def test_what_is_on_record_cannot_be_changed_after_a_restore_either(drill: Drill) -> None:
    with pytest.raises(Exception, match="append-only"):
        drill.site.rows("DELETE FROM diagnoses_auditevent RETURNING id")


def test_the_audit_verifies(drill: Drill) -> None:
    done = drill.site.manage("verify_audit")
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_that_stay_are_kept_once_for_both_backups(drill: Drill) -> None:
    kept = [path for path in (drill.backups / "files").rglob("*") if path.is_file()]
    assert {path.name for path in kept} == {sha256(path.read_bytes()).hexdigest() for path in kept}
    assert {file.stored_sha256 for file in drill.before.files} < {path.name for path in kept}


def test_the_main_part_holds_no_key_and_no_patient(drill: Drill) -> None:
    assert {path.name for path in drill.first.iterdir()} == {"database.dump", "manifest.json", "manifest.hmac"}
    assert "diagnoses_patient" not in (drill.first / "manifest.json").read_text()
    secret = (drill.keys / drill.first.name / "secret_key").read_bytes()
    assert secret not in (drill.first / "database.dump").read_bytes()
    parts = [*drill.backups.rglob("*"), *drill.keys.rglob("*")]
    assert {path.stat().st_mode & 0o077 for path in parts} == {0}


def test_a_running_site_is_not_restored_over(drill: Drill) -> None:
    said = _restore(drill.site, drill.first, drill.keys / drill.second.name, status=1)
    assert "is running already. Stop it first" in said


def test_a_system_that_is_not_empty_is_not_restored_over(drill: Drill) -> None:
    arguments = ["restore", str(drill.first), "--keys-from", str(drill.keys / drill.second.name)]
    done = drill.site.manage(*arguments)
    assert done.returncode == NOTHING_RESTORED
    assert "others work with this database" in done.stderr
    assert drill.site.rows("SELECT count(*) FROM diagnoses_study")[0][0] == len(drill.before.studies)


@pytest.fixture
def empty(folder: Path) -> Iterator[Site]:
    place = folder / "elsewhere"
    place.mkdir()
    yield Site(place)
    shutil.rmtree(place)


def test_a_changed_byte_of_the_dump_is_refused_and_nothing_is_left(drill: Drill, empty: Site, tmp_path: Path) -> None:
    copy = shutil.copytree(drill.backups, tmp_path / "backups")
    dump = copy / drill.first.name / "database.dump"
    data = bytearray(dump.read_bytes())
    data[len(data) // 2] ^= 1
    dump.write_bytes(data)
    said = _restore(empty, dump.parent, drill.keys / drill.second.name, status=NOTHING_RESTORED)
    assert "database.dump was changed since the backup" in said
    assert "Traceback" not in said
    assert not (empty.var / "secret_key").exists()
    # And after that refusal the whole one goes in, there as well.
    assert "Restored what was there at" in _restore(empty, drill.first, drill.keys / drill.second.name)


def test_keys_that_are_missing_or_older_are_told_in_clear_words(drill: Drill, empty: Site, tmp_path: Path) -> None:
    assert "The keys part is missing" in _restore(empty, drill.first, tmp_path, status=NOTHING_RESTORED)
    said = _restore(empty, drill.second, drill.keys / drill.first.name, status=NOTHING_RESTORED)
    assert "Take the newest keys part" in said
    assert datetime.now(UTC).strftime("%Y-%m-%d") in said
