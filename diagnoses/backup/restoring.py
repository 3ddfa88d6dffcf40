"""Restoring a backup into an empty system. All of it is verified before anything is written."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from diagnoses import audit, storage
from diagnoses.backup import audit_files, facts, site_keys, tools
from diagnoses.backup.errors import BackupError
from diagnoses.backup.making import DUMP, OPERATOR, Say
from diagnoses.backup.manifest import Held, Manifest, check_held, read_manifest
from diagnoses.backup.objects import Objects
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.database import all_tables

_SAY_EVERY = 1000
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_ERASE = """
INSERT INTO diagnoses_patient (id, created_at, erased_at)
SELECT DISTINCT subject_id, now(), now() FROM diagnoses_study
WHERE subject_id IS NOT NULL AND subject_id NOT IN (SELECT id FROM diagnoses_patient)
"""
_FILES_OF_ERASED = """
SELECT image.stored_name FROM diagnoses_image image
JOIN diagnoses_study study ON study.id = image.study_id JOIN diagnoses_patient patient ON patient.id = study.subject_id
WHERE patient.erased_at IS NOT NULL
"""
_MARK = "COMMENT ON TABLE django_migrations IS %s"
"""From when the data is in until all that follows was done. A comment, so that it comes and goes with the database."""
_MARKED = "SELECT obj_description(to_regclass('django_migrations'), 'pg_class')"
_WITHOUT_KEY = "SELECT count(*) FROM diagnoses_patient WHERE created_at = erased_at"
"""Those whom `_ERASE` made."""


@dataclass(frozen=True)
class Restored:
    """What is there again."""

    main: Manifest
    keys: Manifest
    without_key: int
    """Patients whom the newer keys do not know any more: erased."""
    files: int
    """All but those of erased patients."""
    secrets: list[str]
    """The names of those that were written into the site's folder."""


def restore_backup(*, folder: Path, keys: Path, say: Say) -> Restored:
    """Put both parts back. Raises BackupError and OSError, and leaves the system as empty as it was.

    Of a backup whose data is in already, with what has to follow not done, it only says what was restored.
    """
    say("Verifying the backup")
    main, of_keys = _verified(folder, keys, say)
    _check_nobody_works()
    if _one(_MARKED) == _mark_of(main, of_keys):
        say("The data is in already; going on from there")
        return Restored(main, of_keys, _one(_WITHOUT_KEY), len(_files_of_those_kept(main)), [])
    _check_empty()
    brought = audit_files.given_back(folder, keys, main, of_keys, say)
    with _undone_where_it_fails(list(main.files)), brought:
        say("Restoring the database")
        without_key = _load(folder, keys)
        _check_loaded(main)
        files = _files_of_those_kept(main)
        say(f"Restoring {len(files)} files")
        _restore_files(Objects(folder.parent), files, say)
        restored = Restored(main, of_keys, without_key, len(files), site_keys.give_back(keys, of_keys))
        _mark(_mark_of(main, of_keys))
        return restored


def record_restore(restored: Restored) -> None:
    """Put it on record, once the tables are those of this version and nothing else is left to do."""
    with transaction.atomic():
        audit.record(
            AuditAction.BACKUP_RESTORED,
            OPERATOR,
            made_at=restored.main.made_at.isoformat(),
            keys_made_at=restored.keys.made_at.isoformat(),
            files=restored.files,
            without_key=restored.without_key,
        )
        _mark(None)


def _mark_of(main: Manifest, of_keys: Manifest) -> str:
    return f"restored from {main.made_at.isoformat()} with {of_keys.made_at.isoformat()}, not finished"


def _mark(words: str | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_MARK, [words])


def _one(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def _verified(folder: Path, keys: Path, say: Say) -> tuple[Manifest, Manifest]:
    key = site_keys.backup_key_for(keys)
    main, of_keys = read_manifest(folder, "main", key), read_manifest(keys, "keys", key)
    if of_keys.made_at < main.made_at:
        raise BackupError(
            f"The keys part of {of_keys.made_at:%Y-%m-%d %H:%M} is older than the main part of "
            f"{main.made_at:%Y-%m-%d %H:%M}: patients who came in between could not be read. Take the newest keys part."
        )
    unknown = sorted(set(main.migrations) - facts.known_migrations())
    ours = [f"{app} {name}" for app, name in unknown if app == "diagnoses"]
    if ours:
        raise BackupError(
            f"The backup is of a newer version of the product, which has {', '.join(ours)}. Update first."
        )
    check_held(folder / DUMP, main.dump)
    check_held(keys / DUMP, of_keys.dump)
    site_keys.check(keys, of_keys)
    audit_files.check(folder, keys, main, of_keys)
    objects = Objects(folder.parent)
    for number, held in enumerate(main.files.values(), 1):
        objects.check(held)
        if number % _SAY_EVERY == 0:
            say(f"  {number} of {len(main.files)} files")
    return main, of_keys


def _check_nobody_works() -> None:
    if others := _one(_OTHERS):
        raise BackupError(
            f"{others} others work with this database. Stop web, workers and scheduler before you restore."
        )


def _check_empty() -> None:
    if all_tables():
        raise BackupError("The database is not empty. A backup goes into an empty one only, before `migrate`.")
    if any(True for _ in storage.listing()):
        raise BackupError("There are files in the storage. A backup goes into an empty system only.")


def _load(folder: Path, keys: Path) -> int:
    """Tables, rows of both parts, and only then keys, indexes and triggers: how many patients are without their key."""
    main = folder / DUMP
    tools.load(main, "--section=pre-data")
    tools.load(main, "--section=data")
    tools.load(keys / DUMP, "--data-only")
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(_ERASE)
        erased = int(cursor.rowcount)
    tools.load(main, "--section=post-data")
    return erased


def _check_loaded(main: Manifest) -> None:
    found = facts.counts(list(main.counts))
    wrong = [
        f"{table} has {found[table]} rows instead of {count}"
        for table, count in main.counts.items()
        if found[table] != count
    ]
    if wrong:
        raise BackupError(f"The database is not what was dumped: {'; '.join(wrong)}.")
    if facts.audit_heads() != main.heads:
        raise BackupError("The audit does not end as it did when the backup was made.")


def _files_of_those_kept(main: Manifest) -> dict[str, Held]:
    """All but those of who is erased: some may lie in clear."""
    with connection.cursor() as cursor:
        cursor.execute(_FILES_OF_ERASED)
        erased = {name for (name,) in cursor.fetchall()}
    return {name: held for name, held in main.files.items() if name not in erased}


def _restore_files(objects: Objects, files: Mapping[str, Held], say: Say) -> None:
    for number, (name, held) in enumerate(files.items(), 1):
        objects.give_back(name, held)
        if number % _SAY_EVERY == 0:
            say(f"  {number} of {len(files)} files")


@contextmanager
def _undone_where_it_fails(names: list[str]) -> Iterator[None]:
    """The system was empty: what a restore that fails has brought goes again."""
    try:
        yield
    except BaseException:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute("CREATE SCHEMA public")
        for name in names:
            storage.remove(name)
        raise
