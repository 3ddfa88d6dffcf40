"""Where pictures lie: private, under generated names, kept for good before any row speaks of them.

The site chooses the kind, `CXR_STORAGE`: folders on a disk, or a bucket that several hosts share. Both act alike.
"""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import IO, NamedTuple, Protocol, cast

from django.core.files.storage import storages

FOLDERS = ("originals", "heatmaps", "exports")
"""All that the product keeps, or kept: heatmaps lie in their rows now. What else there may be is not its own."""


class StoredFile(NamedTuple):
    """What lies under a name, whole or not, and when it was written by the storage's own clock."""

    name: str
    modified_at: datetime


class Storage(Protocol):
    """What each kind of storage can do. Raises OSError where it cannot, and FileNotFoundError where nothing is."""

    def write(self, name: str, data: bytes) -> None:
        """See `diagnoses.storage.write`."""

    def read(self, name: str) -> bytes:
        """See `diagnoses.storage.read`."""

    def writing(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """See `diagnoses.storage.writing`."""

    def reading(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """See `diagnoses.storage.reading`."""

    def remove(self, name: str) -> None:
        """See `diagnoses.storage.remove`."""

    def listing(self, folder: str) -> Iterator[tuple[str, datetime]]:
        """The names of all that lies in a folder, each with the time at which it was written."""


def new_original_name() -> str:
    """A fresh name for a sent file."""
    name = uuid.uuid4().hex
    return f"originals/{name[:2]}/{name}"


def new_export_name() -> str:
    """A fresh name for packed cases."""
    name = uuid.uuid4().hex
    return f"exports/{name[:2]}/{name}"


def write(name: str, data: bytes) -> None:
    """Put `data` under `name`, whole or not at all, and for good before this returns. Raises OSError."""
    _storage().write(name, data)


def read(name: str) -> bytes:
    """The bytes under `name`. Raises OSError, FileNotFoundError among them."""
    return _storage().read(name)


def writing(name: str) -> AbstractContextManager[IO[bytes]]:
    """A file for what is too large for memory. Raises OSError.

    Once the context ends without an error it lies under `name`, whole and for good; otherwise nothing stays of it.
    """
    return _storage().writing(name)


def reading(name: str) -> AbstractContextManager[IO[bytes]]:
    """The same for reading it bit by bit. Raises OSError, FileNotFoundError among them."""
    return _storage().reading(name)


def remove(name: str) -> None:
    """Remove what is under `name`, if anything is. Raises OSError."""
    _storage().remove(name)


def listing() -> Iterator[StoredFile]:
    """All that is kept, in no order, what a crash left unfinished included. Raises OSError."""
    for folder in FOLDERS:
        for name, modified_at in _storage().listing(folder):
            yield StoredFile(name, modified_at)


def _storage() -> Storage:
    return cast(Storage, storages["default"])
