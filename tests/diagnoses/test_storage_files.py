"""Files on a disk: open to the site's account alone, synced, and left in no half state by a disk that fails."""

import errno
import os
import re
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User

from diagnoses import storage
from diagnoses.audit import user_actor
from diagnoses.checks import media_folder_is_writable
from diagnoses.models import Image, ModelVersion
from diagnoses.services.submission import StudyDetails, submit_study
from tests.diagnoses.factory import sent, stored_files

NAME = "originals/ab/abcdef"
TRAVERSALS = ["../../etc/passwd", "/etc/passwd", "..\\..\\windows\\win.ini", "originals/../../x", "a/b/../../../c.png"]


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """The system writes no file beyond `size` bytes: what a full disk does to a file, in earnest."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def failing_at(call: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """`real`, but out of space at its `call`-th call."""
    calls = 0

    def act(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*args)

    return act


def test_a_file_is_open_to_its_owner_alone() -> None:
    storage.write(NAME, b"data")
    [path] = stored_files()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_folder_of_a_file_is_open_to_its_owner_alone() -> None:
    storage.write(NAME, b"data")
    [path] = stored_files()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_write_that_the_disk_cuts_short_leaves_nothing() -> None:
    with files_limited_to(4096), pytest.raises(OSError, match="too large"):
        storage.write(NAME, b"x" * 100_000)
    assert stored_files() == []


def test_a_replacement_that_the_disk_cuts_short_leaves_the_first_version_whole() -> None:
    storage.write(NAME, b"first")
    with files_limited_to(4096), pytest.raises(OSError, match="too large"):
        storage.write(NAME, b"x" * 100_000)
    assert storage.read(NAME) == b"first"
    assert len(stored_files()) == 1


@pytest.mark.parametrize(
    ("what", "call"), [("file", 1), ("folder", 2)], ids=["syncing the file fails", "syncing the folder fails"]
)
def test_a_write_that_does_not_reach_the_disk_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, what: str, call: int
) -> None:
    monkeypatch.setattr(os, "fsync", failing_at(call, os.fsync))
    with pytest.raises(OSError, match="No space left"):
        storage.write(NAME, b"data")
    assert stored_files() == [], f"the {what} was not synced, the caller was told so, and yet a file stays"


def test_a_folder_that_cannot_be_made_is_an_os_error() -> None:
    Path(settings.MEDIA_ROOT).mkdir()
    (Path(settings.MEDIA_ROOT) / "originals").write_bytes(b"a file where a folder should be")
    with pytest.raises(NotADirectoryError):
        storage.write(NAME, b"data")


def test_a_picture_is_on_the_disk_before_the_call_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    storage.write(NAME, b"data")
    assert [name.split(".")[0] for name in synced] == ["abcdef", "ab"]


def test_a_media_folder_that_cannot_be_written_stops_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert media_folder_is_writable(None) == []
    # Root may write everywhere, so what the system would say of another account is put in its mouth.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    [problem] = media_folder_is_writable(None)
    assert str(settings.MEDIA_ROOT) in problem.msg
    assert "CXR_VAR_DIR" in str(problem.hint)


@pytest.mark.parametrize("name", TRAVERSALS)
def test_the_senders_name_of_a_file_says_nothing_of_where_it_lies(
    clinician: User, model_version: ModelVersion, tmp_path: Path, name: str
) -> None:
    submit_study(actor=user_actor(clinician), files=[sent(name)], details=StudyDetails())
    image = Image.objects.get()
    assert image.filename == name
    assert re.fullmatch(r"originals/[0-9a-f]{2}/[0-9a-f]{32}", image.stored_name)
    assert stored_files() == [Path(settings.MEDIA_ROOT) / image.stored_name]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == stored_files()
