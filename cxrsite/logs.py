"""Where processes of a single-machine site write: files that their owner alone reads, and that do not grow for ever."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO

MOST_BYTES = 10 * 1024 * 1024
"""A file that has grown to this is put away."""
KEPT = 5
"""So many of those that were put away stay: NAME.1 is the newest."""


def make_folder(folder: Path) -> None:
    """For its owner alone, also one that was made otherwise before."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)


def open_log(path: Path) -> IO[bytes]:
    """To be written at its end, wherever that is by then."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "ab")


def rotate(path: Path, most_bytes: int = MOST_BYTES) -> None:
    """Put away what has grown too large. Its process keeps the file open, so that is copied and then emptied.

    What is written between the two is lost: a line or two, once in ten megabytes. Where there is no such file any more,
    or no room for a copy, all stays as it is.
    """
    copied = path.with_name(f"{path.name}.new")
    try:
        if path.stat().st_size < most_bytes:
            return
        _copy(path, copied)
        for number in range(KEPT - 1, 0, -1):
            if (older := _put_away(path, number)).exists():
                older.replace(_put_away(path, number + 1))
        copied.replace(_put_away(path, 1))
        os.truncate(path, 0)
    except OSError:
        with suppress(OSError):
            copied.unlink()


def _copy(path: Path, copied: Path) -> None:
    copied.unlink(missing_ok=True)
    with path.open("rb") as log, open_log(copied) as copy:
        shutil.copyfileobj(log, copy)


def _put_away(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
