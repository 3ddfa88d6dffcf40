"""Where pictures lie: private, under generated names, on disk before any row speaks of them."""

import os
import uuid
from pathlib import Path
from typing import NoReturn

from django.core.files.storage import FileSystemStorage


class PrivateStorage(FileSystemStorage):
    """Files without a public address. A view that checks and records is the only way to one."""

    def url(self, name: str | None) -> NoReturn:
        """Refuse: a private file has no address of its own."""
        raise ValueError(f"{name} is private and has no public address")


_storage = PrivateStorage()


def new_original_name() -> str:
    """A fresh name for a sent file."""
    name = uuid.uuid4().hex
    return f"originals/{name[:2]}/{name}"


def write(name: str, data: bytes) -> None:
    """Put `data` under `name`, whole or not at all, and on the disk before this returns. Raises OSError."""
    target = Path(_storage.path(name))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")
    try:
        _write_through(unfinished, data)
        unfinished.replace(target)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    try:
        _sync_folder(target.parent)
    except OSError:
        target.unlink()
        raise


def read(name: str) -> bytes:
    """The bytes under `name`. Raises OSError, FileNotFoundError among them."""
    return Path(_storage.path(name)).read_bytes()


def remove(name: str) -> None:
    """Remove what is under `name`, if anything is."""
    Path(_storage.path(name)).unlink(missing_ok=True)


def _write_through(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
