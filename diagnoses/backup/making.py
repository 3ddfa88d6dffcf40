"""Making a backup, while the site runs."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from diagnoses import audit
from diagnoses.backup import audit_files, facts, site_keys, tools
from diagnoses.backup.errors import BackupError
from diagnoses.backup.manifest import Held, Manifest, hash_of, read_manifest, write_manifest
from diagnoses.backup.objects import Objects
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.database import all_tables
from diagnoses.selectors.files import held_names, named_files

DUMP = "database.dump"
OPERATOR = audit.Actor(None, "operator")
_SAY_EVERY = 1000

Say = Callable[[str], None]


@dataclass(frozen=True)
class Made:
    """A backup that is whole."""

    folder: Path
    keys: Path
    files: int
    copied: int
    copied_bytes: int


def make_backup(*, to: Path, keys_to: Path, say: Say) -> Made:
    """Both parts, of one moment, each in a new folder named by the time. Raises BackupError and OSError.

    The dump comes first and the files after it: each was written before its row, so that none which a row of the dump
    speaks of can be missing, unless it was removed with its row meanwhile.
    """
    _check_apart(to, keys_to)
    key = site_keys.backup_key()
    name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    with _new_folder(to / name) as main, _new_folder(keys_to / name) as keys:
        anchors = audit_files.save_anchors(keys, say)
        say("Dumping the database")
        manifest, keys_manifest, names = _dump(main, keys)
        say(f"Copying {len(names)} files")
        made = _copy_files(names, manifest, to, key, say)
        manifest.archives = audit_files.save_archives(main, say)
        keys_manifest.files, keys_manifest.anchors = site_keys.save(keys), anchors
        write_manifest(main, manifest, key)
        write_manifest(keys, keys_manifest, key)
    copied, copied_bytes = made
    audit.record(AuditAction.BACKUP_MADE, OPERATOR, name=name, files=len(manifest.files), copied=copied)
    return Made(to / name, keys_to / name, len(manifest.files), copied, copied_bytes)


def _check_apart(to: Path, keys_to: Path) -> None:
    main, keys = to.resolve(), keys_to.resolve()
    if main == keys or main in keys.parents or keys in main.parents:
        raise BackupError(f"The keys must lie apart from the rest: {keys_to} and {to} are one within the other.")


def _dump(main: Path, keys: Path) -> tuple[Manifest, Manifest, list[str]]:
    with facts.moment() as (snapshot, at):
        left_out = [*facts.left_out(), facts.PATIENTS]
        tools.dump(main / DUMP, snapshot, *(f"--exclude-table-data=public.{table}" for table in left_out))
        tools.dump(keys / DUMP, snapshot, "--data-only", f"--table=public.{facts.PATIENTS}")
        versions = facts.versions() | {"pg_dump": tools.version()}
        manifest = Manifest(
            part="main",
            made_at=at,
            versions=versions,
            migrations=facts.migrations(),
            counts=facts.counts([table for table in all_tables() if table not in left_out]),
            heads=facts.audit_heads(),
            dump=hash_of(main / DUMP),
        )
        keys_manifest = Manifest(
            part="keys",
            made_at=at,
            versions=versions,
            migrations=manifest.migrations,
            counts=facts.counts([facts.PATIENTS]),
            dump=hash_of(keys / DUMP),
        )
        return manifest, keys_manifest, list(named_files())


def _copy_files(names: list[str], manifest: Manifest, to: Path, key: str, say: Say) -> tuple[int, int]:
    """How many were copied, and how many bytes that were."""
    objects, before = Objects(to), _files_before(to, key)
    copied = size = 0
    for number, name in enumerate(names, 1):
        try:
            held, is_new = objects.take(name, before.get(name))
        except FileNotFoundError as error:
            if held_names([name]):
                raise BackupError(
                    f"A row speaks of {name}, and storage has no such file; see `sweep_files`."
                ) from error
            continue  # it was removed together with its row, or its patient was erased
        manifest.files[name] = held
        copied += is_new
        size += held.bytes if is_new else 0
        if number % _SAY_EVERY == 0:
            say(f"  {number} of {len(names)} files")
    return copied, size


def _files_before(to: Path, key: str) -> dict[str, Held]:
    """What the newest backup in the same place knew; of one that is not ours or not whole, nothing."""
    for folder in sorted(to.glob("*Z"), reverse=True):
        with suppress(BackupError):
            return read_manifest(folder, "main", key).files
    return {}


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder that its owner alone may enter, under its name only once it is whole."""
    unfinished = folder.with_name(f"{folder.name}.part")
    unfinished.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        unfinished.mkdir(mode=0o700)
    except FileExistsError as error:
        raise BackupError(f"Another backup is being made in {folder.parent}, or broke off: {unfinished}.") from error
    try:
        yield unfinished
        for path in unfinished.iterdir():
            path.chmod(0o600)
        _sync(unfinished)
        unfinished.rename(folder)
        _sync(folder.parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
