"""The files of all backups in one place, each named by the hash of its bytes, so that what stays is kept once."""

import hashlib
import os
import uuid
from pathlib import Path

from diagnoses import storage
from diagnoses.backup.errors import BackupError
from diagnoses.backup.manifest import Held, check_held

_CHUNK = 1024 * 1024
FOLDER = "files"


class Objects:
    """The files beside the backups in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER

    def take(self, name: str, before: Held | None) -> tuple[Held, bool]:
        """Keep what storage has under `name`: what it is, and whether it was copied. Raises OSError.

        It is read in any case, and its hash alone decides. Where the backup `before` knew the name, it is at first read
        without being written.
        """
        if before is not None and self._has(before) and _hash_in_storage(name) == before:
            return before, False
        return self._copy(name)

    def check(self, held: Held) -> None:
        """Raise BackupError where this is not in the place, as it was."""
        check_held(self._path(held), held)

    def give_back(self, name: str, held: Held) -> None:
        """Put it into storage under `name`. Raises OSError, and BackupError where it has changed meanwhile."""
        digest = hashlib.sha256()
        with self._path(held).open("rb") as source, storage.writing(name) as target:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                target.write(chunk)
            if digest.hexdigest() != held.sha256:
                raise BackupError(f"{self._path(held)} changed while it was restored.")

    def _copy(self, name: str) -> tuple[Held, bool]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self._folder / f"{uuid.uuid4().hex}.part"
        digest, size = hashlib.sha256(), 0
        try:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as target, storage.reading(name) as source:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            held = Held(sha256=digest.hexdigest(), bytes=size)
            check_held(unfinished, held)
            path = self._path(held)
            is_new = not self._has(held)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        return held, is_new

    def _has(self, held: Held) -> bool:
        path = self._path(held)
        return path.is_file() and path.stat().st_size == held.bytes

    def _path(self, held: Held) -> Path:
        return self._folder / held.sha256[:2] / held.sha256


def _hash_in_storage(name: str) -> Held:
    digest, size = hashlib.sha256(), 0
    with storage.reading(name) as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return Held(sha256=digest.hexdigest(), bytes=size)
