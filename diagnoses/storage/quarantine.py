"""Where sent files wait until they have been looked at: on the disk of the media, under names of ours.

Nothing in here has been checked, so nothing but the gate reads it, and nothing stays longer than the request. A file is
given up while it still comes in, once it is larger than is taken or its first bytes are those of no kind that is taken;
of such a file nothing stays but its hash.
"""

import os
import time
import uuid
import weakref
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path
from typing import IO

from django.conf import settings

from diagnoses.imaging import archive, intake
from diagnoses.imaging.errors import ImageError
from diagnoses.imaging.kinds import TELLING_BYTES, is_zip, kind_of

_FOLDER = "quarantine"


def folder() -> Path:
    """Where they wait. It belongs to the product's account alone."""
    path = Path(settings.MEDIA_ROOT) / _FOLDER
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


class Parcel:
    """A file on its way in. `refusal` says why it was given up, `sha256` and `size` are of all that was sent."""

    def __init__(self) -> None:
        self.refusal: ImageError | None = None
        self.is_zip = False
        self.size = 0
        self._digest = sha256()
        self._start = b""
        self._is_known = False
        self._path = folder() / uuid.uuid4().hex
        self._parts: list[Parcel] = []
        left = ExitStack()
        left.callback(self._path.unlink, missing_ok=True)
        # However a request ends: once nobody holds the parcel any more, its file goes.
        self._vanish = weakref.finalize(self, left.close)
        self._file: IO[bytes] | None = None
        with suppress(OSError):  # whoever reads it hears of that
            self._file = left.enter_context(_new_file(self._path))

    @property
    def sha256(self) -> str:
        """Of all that was sent, in hexadecimal."""
        return self._digest.hexdigest()

    def write(self, piece: bytes) -> None:
        """Take in what comes next. Where the disk fails, nothing stays, and reading it raises OSError."""
        self.size += len(piece)
        self._digest.update(piece)
        if not self._is_known:
            self._start += piece[:TELLING_BYTES]
            if len(self._start) >= TELLING_BYTES:
                self._judge_start()
        most = self._most_bytes()
        if self.size > most and not self.refusal:
            self.give_up(intake.too_large(self.size, most))
        if self._file:
            try:
                self._file.write(piece)
            except OSError:
                self.remove()

    def part(self) -> "Parcel":
        """Another, for a file in this one, that goes when this one does."""
        self._parts.append(Parcel())
        return self._parts[-1]

    def finish(self) -> None:
        """All of it has come."""
        if not self._is_known:
            self._judge_start()
        if self._file:
            try:
                self._file.close()
            except OSError:
                self.remove()

    def give_up(self, refusal: ImageError) -> None:
        """It is not taken, and nothing of it is needed."""
        self.refusal = refusal
        self.remove()

    def read(self) -> bytes:
        """All of it. Raises OSError."""
        return self._path.read_bytes()

    def open(self) -> IO[bytes]:
        """The same for reading it bit by bit. Raises OSError."""
        return self._path.open("rb")

    def remove(self) -> None:
        """It is not needed any more. May be said twice."""
        self._file = None
        with suppress(OSError):
            self._vanish()
        for part in self._parts:
            part.remove()

    def _judge_start(self) -> None:
        self._is_known = True
        self.is_zip = is_zip(self._start)
        if self.size and not self.is_zip and kind_of(self._start) is None:
            self.give_up(intake.unsupported())

    def _most_bytes(self) -> int:
        return archive.MAX_UNPACKED_BYTES if self.is_zip else int(settings.CXR_MAX_FILE_BYTES)


def sweep(older_than_seconds: float) -> int:
    """Remove what a crash left; gives how many files. Younger ones may be of a request that goes on. Raises OSError."""
    before = time.time() - older_than_seconds
    removed = 0
    for path in folder().iterdir():
        with suppress(FileNotFoundError):  # a request that has just ended removed its own
            if path.stat().st_mtime < before:
                path.unlink()
                removed += 1
    return removed


def _new_file(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")
