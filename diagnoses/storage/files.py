"""Storage in folders on a disk, which may be a share of the network."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NoReturn

from django.core.files.storage import FileSystemStorage


class PrivateFileStorage(FileSystemStorage):
    """Files without a public address. A view that checks and records is the only way to one."""

    def url(self, name: str | None) -> NoReturn:
        """Refuse: a private file has no address of its own."""
        raise ValueError(f"{name} is private and has no public address")

    def write(self, name: str, data: bytes) -> None:
        """See `Storage.write`: on the disk, name and all, before this returns."""
        with self.writing(name) as file:
            file.write(data)

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """See `Storage.writing`: beside its place, until it is whole."""
        target = Path(self.path(name))
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")
        try:
            with _new_file(unfinished) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(target)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        try:
            _sync_folder(target.parent)
        except OSError:
            target.unlink()
            raise

    def reading(self, name: str) -> IO[bytes]:
        """See `Storage.reading`."""
        return Path(self.path(name)).open("rb")

    def read(self, name: str) -> bytes:
        """See `Storage.read`."""
        return Path(self.path(name)).read_bytes()

    def remove(self, name: str) -> None:
        """See `Storage.remove`."""
        Path(self.path(name)).unlink(missing_ok=True)

    def listing(self, folder: str) -> Iterator[tuple[str, datetime]]:
        """See `Storage.listing`."""
        root = Path(self.location)
        for inside, _, names in os.walk(self.path(folder), onerror=_raise_unless_gone):
            for path in (Path(inside, name) for name in names):
                try:
                    modified = path.stat().st_mtime
                except FileNotFoundError:
                    continue  # a moment ago it was there
                yield path.relative_to(root).as_posix(), datetime.fromtimestamp(modified, UTC)


def _new_file(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
