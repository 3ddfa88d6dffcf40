"""What of the audit lies beside the database goes into backups, and comes back with them."""

from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings

from diagnoses.backup import audit_files
from diagnoses.backup.errors import BackupError
from diagnoses.backup.manifest import Held, Manifest
from diagnoses.models import AuditArchive

MONTH = "audit-2015-03.jsonl.gz"


class Place:
    """A site's own files of the audit, and the two parts of a backup of them."""

    def __init__(self, folder: Path, settings: LazySettings) -> None:
        self.archive, self.anchors = folder / "archives" / MONTH, folder / "vault" / "anchors.jsonl"
        settings.CXR_AUDIT_ARCHIVES, settings.CXR_AUDIT_ANCHORS = self.archive.parent, self.anchors
        self.main, self.keys = folder / "main", folder / "keys"
        for made in (self.archive.parent, self.anchors.parent, self.main, self.keys):
            made.mkdir()
        self.archive.write_bytes(b"a month")
        self.anchors.write_bytes(b"the ends\n")
        self.said: list[str] = []
        sizes: dict[str, Any] = {"events": 1, "last_seq": 1, "last_hash": "", "sha256": "", "signature": ""}
        AuditArchive.objects.create(month=date(2015, 3, 1), name=MONTH, **sizes)

    def save(self) -> tuple[Manifest, Manifest]:
        anchors = audit_files.save_anchors(self.keys, self.said.append)
        archives = audit_files.save_archives(self.main, self.said.append)
        return _manifest("main", archives=archives), _manifest("keys", anchors=anchors)

    def lose(self) -> None:
        self.archive.unlink()
        self.anchors.unlink()

    def restore(self, main: Manifest, keys: Manifest) -> None:
        audit_files.check(self.main, self.keys, main, keys)
        with audit_files.given_back(self.main, self.keys, main, keys, self.said.append):
            pass


def _manifest(part: str, **fields: Any) -> Manifest:
    facts = {"made_at": datetime(2026, 1, 2, tzinfo=UTC), "versions": {}, "migrations": [], "counts": {}}
    return Manifest.model_validate({"part": part, "dump": Held(sha256="", bytes=0), **facts, **fields})


@pytest.fixture
def place(tmp_path: Path, settings: LazySettings, db: None) -> Place:
    return Place(tmp_path, settings)


def test_archived_months_come_back_from_the_main_part_and_anchors_from_the_keys_part(place: Place) -> None:
    manifests = place.save()
    assert ([path.name for path in place.main.iterdir()], [path.name for path in place.keys.iterdir()]) == (
        [MONTH],
        ["anchors.jsonl"],
    )
    place.lose()
    place.restore(*manifests)
    assert (place.archive.read_bytes(), place.anchors.read_bytes()) == (b"a month", b"the ends\n")
    assert {path.stat().st_mode & 0o777 for path in (place.archive, place.anchors)} == {0o600}
    assert place.said == []


def test_what_was_changed_in_the_backup_is_refused_by_its_name(place: Place) -> None:
    manifests = place.save()
    place.lose()
    for path in (place.main / MONTH, place.keys / "anchors.jsonl"):
        whole = path.read_bytes()
        path.write_bytes(b"A" + whole[1:])
        with pytest.raises(BackupError, match=f"{path.name} was changed since the backup"):
            place.restore(*manifests)
        path.write_bytes(whole)
    assert not place.archive.exists()
    assert not place.anchors.exists()


def test_newer_anchors_stay_and_another_archive_of_the_same_name_is_refused(place: Place) -> None:
    manifests = place.save()
    place.anchors.write_bytes(b"the ends\nand one more\n")
    place.restore(*manifests)
    assert place.anchors.read_bytes() == b"the ends\nand one more\n"
    assert f"{place.anchors} is there already, and stays as it is." in place.said
    place.archive.write_bytes(b"another")
    with pytest.raises(BackupError, match="is another file than the backup's"):
        place.restore(*manifests)


def test_a_restore_that_fails_takes_away_what_it_brought_and_nothing_else(place: Place) -> None:
    manifests = place.save()
    place.archive.unlink()
    brought = audit_files.given_back(place.main, place.keys, *manifests, place.said.append)
    with suppress(RuntimeError), brought:
        assert place.archive.exists()
        raise RuntimeError
    assert not place.archive.exists()
    assert place.anchors.exists()


def test_what_a_backup_is_without_is_said(place: Place) -> None:
    place.lose()
    main, keys = place.save()
    assert (main.archives, keys.anchors) == ({}, None)
    assert [words.partition(": ")[2].split(".")[0] for words in place.said] == [
        "this backup is without the audit's anchors",
        "this backup is without that month of the audit",
    ]
    place.restore(main, keys)
