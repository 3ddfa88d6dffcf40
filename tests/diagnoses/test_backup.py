"""Backups: kept once, signed, verified before anything is restored, with their keys apart."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db.models import F

from diagnoses import storage
from diagnoses.backup import restoring, site_keys
from diagnoses.backup.errors import BackupError
from diagnoses.backup.facts import left_out
from diagnoses.backup.making import DUMP, _copy_files, make_backup
from diagnoses.backup.manifest import Held, Manifest, hash_of, read_manifest, write_manifest
from diagnoses.backup.objects import Objects
from diagnoses.backup.restoring import Restored, _files_of_those_kept, _mark, _mark_of, record_restore, restore_backup
from diagnoses.management.commands import restore as command
from diagnoses.models import AuditEvent, ModelVersion, Patient
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.files import named_files
from diagnoses.states import JobStatus
from tests.diagnoses.factory import make_export, make_study

NAME = "originals/ab/abcdef"
KEY = "a key of a site's own that signs its backups and nothing else"
AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _own_folder(settings: LazySettings, tmp_path: Path) -> None:
    settings.CXR_VAR_DIR = tmp_path / "var"
    settings.CXR_VAR_DIR.mkdir()
    settings.CXR_SECRETS = {"secret_key": "the key of sessions"}


class Backup:
    """Both parts of one, without a database's rows in its dumps: for what is verified before they are looked at."""

    def __init__(self, folder: Path) -> None:
        self.main, self.keys = folder / "backups" / "20260102T030400Z", folder / "keys" / "20260102T030400Z"
        for part in (self.main, self.keys):
            part.mkdir(parents=True)
            (part / DUMP).write_bytes(b"rows")
        storage.write(NAME, b"a picture")
        held, _ = Objects(self.main.parent).take(NAME, None)
        storage.remove(NAME)
        self.object = self.main.parent / "files" / held.sha256[:2] / held.sha256
        for name, value in (("secret_key", "the key of sessions"), ("backup_key", KEY)):
            (self.keys / name).write_text(value)
        self.write("main", files={NAME: held})
        self.write("keys", files={name: hash_of(self.keys / name) for name in ("secret_key", "backup_key")})

    def write(self, part: str, **fields: Any) -> None:
        folder = self.main if part == "main" else self.keys
        for old in folder.glob("manifest.*"):
            old.unlink()
        facts = {
            "part": part,
            "made_at": AT,
            "versions": {},
            "migrations": [],
            "counts": {},
            "dump": hash_of(folder / DUMP),
        }
        write_manifest(folder, Manifest(**{**facts, **fields}), KEY)

    def restore(self) -> Restored:
        return restore_backup(folder=self.main, keys=self.keys, say=lambda words: None)


@pytest.fixture
def backup(tmp_path: Path, db: None) -> Backup:
    return Backup(tmp_path)


@pytest.fixture(params=["file", "s3"])
def _each_kind_of_storage(request: pytest.FixtureRequest) -> None:
    if request.param == "s3":
        request.getfixturevalue("bucket")


@pytest.mark.usefixtures("_each_kind_of_storage")
def test_a_file_comes_back_from_the_place_as_it_was(tmp_path: Path) -> None:
    objects, data = Objects(tmp_path), bytes(range(256)) * 9000
    storage.write(NAME, data)
    held, is_new = objects.take(NAME, None)
    assert (is_new, held.bytes) == (True, len(data))
    storage.remove(NAME)
    objects.give_back(NAME, held)
    assert storage.read(NAME) == data


@pytest.mark.usefixtures("_each_kind_of_storage")
def test_a_file_that_stays_is_not_copied_again_and_one_that_changed_is(tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    storage.write(NAME, b"first")
    held, _ = objects.take(NAME, None)
    [kept] = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    written = kept.stat().st_mtime_ns
    assert objects.take(NAME, held) == (held, False)
    assert kept.stat().st_mtime_ns == written
    storage.write(NAME, b"FIRST")  # of the same size, so that its bytes alone say so
    assert objects.take(NAME, held)[1]
    assert len([path for path in (tmp_path / "files").rglob("*") if path.is_file()]) == 2


def test_what_was_cut_short_in_the_place_is_copied_again(tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    storage.write(NAME, b"a picture")
    held, _ = objects.take(NAME, None)
    [kept] = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    kept.write_bytes(b"a pic")
    assert objects.take(NAME, held) == (held, True)
    objects.check(held)


def test_every_sent_file_is_in_a_backup_and_no_packed_export(done_study: Any, model_version: ModelVersion) -> None:
    owner = done_study.submitted_by
    make_study(owner, model_version, JobStatus.QUEUED)
    make_export(owner)
    images = {image.stored_name for study in owner.studies.all() for image in study.images.all()}
    assert set(named_files()) == images
    assert {"diagnoses_export", "diagnoses_apitoken", "django_session"} <= set(left_out())


def test_an_erased_patients_files_are_not_missed_and_anybody_elses_are(
    done_study: Any, model_version: ModelVersion, tmp_path: Path
) -> None:
    kept = make_study(done_study.submitted_by, model_version, JobStatus.QUEUED)
    names = {study: study.images.get().stored_name for study in (done_study, kept)}
    Patient.objects.filter(pk=done_study.subject_id).update(erased_at=AT)
    assert list(named_files()) == [names[kept]]
    dump = Held(sha256="", bytes=0)
    manifest = Manifest(part="main", made_at=AT, versions={}, migrations=[], counts={}, dump=dump)
    storage.remove(names[done_study])  # who was erased between the dump and its files
    _copy_files([*names.values()], manifest, tmp_path, KEY, lambda words: None)
    assert set(manifest.files) == {names[kept]}
    storage.remove(names[kept])
    with pytest.raises(BackupError, match=f"A row speaks of {names[kept]}"):
        _copy_files([*names.values()], manifest, tmp_path, KEY, lambda words: None)


def test_an_erased_patients_files_are_not_restored(done_study: Any, model_version: ModelVersion) -> None:
    kept = make_study(done_study.submitted_by, model_version, JobStatus.QUEUED)
    dump = Held(sha256="", bytes=0)
    files = {study.images.get().stored_name: dump for study in (done_study, kept)}
    manifest = Manifest(part="main", made_at=AT, versions={}, migrations=[], counts={}, dump=dump, files=files)
    Patient.objects.filter(pk=done_study.subject_id).update(erased_at=AT)
    assert set(_files_of_those_kept(manifest)) == {kept.images.get().stored_name}


def test_a_whole_backup_passes_until_the_database_turns_out_not_to_be_empty(backup: Backup) -> None:
    with pytest.raises(BackupError, match=r"not empty|others work with this database"):
        backup.restore()


def test_a_restore_that_stopped_once_its_data_was_in_goes_on_from_there_until_it_is_done(
    backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "_OTHERS", "SELECT 0")
    main, keys = read_manifest(backup.main, "main", KEY), read_manifest(backup.keys, "keys", KEY)
    Patient.objects.bulk_create([Patient(), Patient()])
    Patient.objects.filter(pk=Patient.objects.earliest("pk").pk).update(erased_at=F("created_at"))
    _mark(_mark_of(main, keys))
    restored = backup.restore()
    assert restored == Restored(main, keys, 1, 1, [])
    record_restore(restored)
    with pytest.raises(BackupError, match="not empty"):
        backup.restore()
    assert AuditEvent.objects.get().action == AuditAction.BACKUP_RESTORED


def test_another_backup_does_not_go_on_from_there(backup: Backup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "_OTHERS", "SELECT 0")
    main, keys = read_manifest(backup.main, "main", KEY), read_manifest(backup.keys, "keys", KEY)
    _mark(_mark_of(main, keys))
    backup.write("keys", files=keys.files, made_at=AT + timedelta(days=1))
    with pytest.raises(BackupError, match="not empty"):
        backup.restore()


@pytest.mark.parametrize("step", ["call_command", "erase_again", "record_restore"])
def test_a_step_that_fails_once_the_data_is_in_says_how_to_go_on_and_not_that_nothing_was_restored(
    backup: Backup, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a step that is broken")

    main, keys = read_manifest(backup.main, "main", KEY), read_manifest(backup.keys, "keys", KEY)
    monkeypatch.setattr(command, "restore_backup", lambda **_: Restored(main, keys, 0, 1, []))
    for name in ("call_command", "erase_again", "record_restore"):
        monkeypatch.setattr(command, name, fail if name == step else lambda *_, **__: None)
    with pytest.raises(CommandError, match=r"All data is in.*broken(.|\n)*the same command again") as told:
        call_command("restore", str(backup.main), "--keys-from", str(backup.keys))
    assert told.value.returncode != command.NOTHING_RESTORED


def test_a_restore_of_which_nothing_is_there_ends_with_a_status_of_its_own(backup: Backup) -> None:
    with pytest.raises(CommandError, match="Nothing was restored") as told:
        call_command("restore", str(backup.main), "--keys-from", str(backup.keys))
    assert told.value.returncode == command.NOTHING_RESTORED


def test_a_changed_manifest_is_refused(backup: Backup) -> None:
    path = backup.main / "manifest.json"
    path.write_text(path.read_text().replace('"part"', ' "part"', 1))
    with pytest.raises(BackupError, match="not what was signed"):
        backup.restore()


def test_a_manifest_with_hashes_made_to_fit_is_refused_without_the_key(backup: Backup) -> None:
    backup.object.write_bytes(b"another one")
    forged = json.loads((backup.main / "manifest.json").read_text())
    forged["files"][NAME] = hash_of(backup.object).model_dump()
    (backup.main / "manifest.json").write_text(json.dumps(forged))
    with pytest.raises(BackupError, match="not what was signed"):
        backup.restore()


def test_a_changed_file_dump_or_secret_is_refused_by_its_name(backup: Backup) -> None:
    for path in (backup.object, backup.main / DUMP, backup.keys / DUMP, backup.keys / "secret_key"):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(BackupError, match=f"{path.name} was changed since the backup"):
            backup.restore()
        path.write_bytes(whole)


def test_a_file_that_is_missing_is_named(backup: Backup) -> None:
    backup.object.unlink()
    with pytest.raises(BackupError, match=f"{backup.object.name} is missing from the backup"):
        backup.restore()


def test_a_missing_keys_part_is_told_in_clear_words(backup: Backup) -> None:
    (backup.keys / "backup_key").unlink()
    with pytest.raises(BackupError, match=r"The keys part is missing: .* KEYS_FROM"):
        backup.restore()


def test_keys_older_than_the_rest_are_refused_and_newer_ones_are_not(backup: Backup) -> None:
    files = {name: hash_of(backup.keys / name) for name in ("secret_key", "backup_key")}
    backup.write("keys", files=files, made_at=AT - timedelta(hours=1))
    with pytest.raises(BackupError, match="Take the newest keys part"):
        backup.restore()
    backup.write("keys", files=files, made_at=AT + timedelta(days=9))
    with pytest.raises(BackupError, match=r"not empty|others work with this database"):
        backup.restore()


def test_the_parts_are_not_taken_for_each_other(backup: Backup) -> None:
    with pytest.raises(BackupError, match="is the main part of a backup, and the keys part is needed"):
        read_manifest(backup.main, "keys", KEY)


def test_a_backup_of_a_newer_version_is_refused(backup: Backup) -> None:
    backup.write("main", migrations=[("diagnoses", "0001_initial"), ("diagnoses", "9999_later")])
    with pytest.raises(BackupError, match="newer version of the product, which has diagnoses 9999_later"):
        backup.restore()


def test_a_site_with_other_secrets_is_told_which_to_give_it(backup: Backup, settings: LazySettings) -> None:
    settings.CXR_SECRETS = {"secret_key": "another one"}
    with pytest.raises(BackupError, match=r"another secret_key than the backup's.*CXR_SECRET_KEY"):
        backup.restore()


def test_a_folder_of_several_backups_says_which_there_are(backup: Backup) -> None:
    with pytest.raises(BackupError, match="name one of them: 20260102T030400Z"):
        read_manifest(backup.main.parent, "main", KEY)
    with pytest.raises(BackupError, match="There is no backup in"):
        read_manifest(backup.object.parent, "main", KEY)


def test_keys_are_not_kept_with_the_rest(tmp_path: Path) -> None:
    for to, keys_to in ((tmp_path, tmp_path), (tmp_path, tmp_path / "keys"), (tmp_path / "main", tmp_path)):
        with pytest.raises(BackupError, match="The keys must lie apart"):
            make_backup(to=to, keys_to=keys_to, say=lambda words: None)


def test_every_secret_of_the_site_is_kept_wherever_it_came_from(settings: LazySettings, tmp_path: Path) -> None:
    var: Path = settings.CXR_VAR_DIR
    (var / "audit_key").write_text("in a file of its own")
    settings.CXR_SECRETS |= {"old_secret_keys": "the key before"}
    assert site_keys.backup_key() == (var / "backup_key").read_text() == site_keys.backup_key()
    assert (var / "backup_key").stat().st_mode & 0o077 == 0
    folder = tmp_path / "keys"
    folder.mkdir()
    assert set(site_keys.save(folder)) == {"secret_key", "old_secret_keys", "audit_key", "backup_key"}
    assert settings.CXR_SECRET_NAMES["old_secret_keys"] == "CXR_SECRET_KEY_OLD"
    assert (folder / "audit_key").read_text() == "in a file of its own"
    kept: dict[str, Held] = {path.name: hash_of(path) for path in folder.iterdir()}
    dump = Held(sha256="", bytes=0)
    manifest = Manifest(part="keys", made_at=AT, versions={}, migrations=[], counts={}, dump=dump, files=kept)
    (var / "audit_key").unlink()
    assert site_keys.give_back(folder, manifest) == ["audit_key"]
    assert (var / "audit_key").read_text() == "in a file of its own"
