"""The logs of a single-machine site's processes: bounded, and their owner's alone."""

import errno
import shutil
import sys
import time
from pathlib import Path
from typing import IO

import psutil
import pytest

from cxrsite import logs
from cxrsite.children import Child


def test_a_log_and_its_folder_are_their_owners_alone_even_if_they_were_not(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir(mode=0o755)
    (folder / "web.log").write_text("of before\n")
    (folder / "web.log").chmod(0o644)
    logs.make_folder(folder)
    with logs.open_log(folder / "web.log") as log:
        log.write(b"more\n")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "web.log").stat().st_mode & 0o777 == 0o600
    assert (folder / "web.log").read_text() == "of before\nmore\n"


def test_a_log_that_grows_is_put_away_and_only_the_newest_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    with logs.open_log(path) as log:
        for number in range(9):
            log.write(f"{number}".encode() * 100)
            log.flush()
            logs.rotate(path, 100)
            assert path.stat().st_size == 0
        log.write(b"now")
    logs.rotate(path, 100)
    assert path.read_text() == "now"
    kept = {each.name: each.read_text()[0] for each in tmp_path.glob("web.log.*")}
    assert kept == {f"web.log.{number}": str(9 - number) for number in range(1, logs.KEPT + 1)}
    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}


def test_a_log_that_somebody_deleted_does_not_end_its_child(tmp_path: Path) -> None:
    child = Child("worker", [sys.executable, "-c", "input()"], {}, tmp_path / "worker.log")
    try:
        child.log.unlink()
        assert child.revive(lambda words: None)
    finally:
        child.ask_to_stop()
        child.wait()


def test_a_child_that_dies_after_its_logs_folder_was_deleted_is_started_again(tmp_path: Path) -> None:
    told: list[str] = []
    folder = tmp_path / "log"
    child = Child("worker", [sys.executable, "-c", "input()"], {}, folder / "worker.log")
    try:
        shutil.rmtree(folder)
        psutil.Process(child.pid).kill()
        child._process.wait()
        assert child.revive(told.append)
        assert told[-1] == "Starting the worker again."
        assert child.log.exists()
    finally:
        child.ask_to_stop()
        child.wait()


def test_where_there_is_no_room_for_a_copy_no_log_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_the_disk(source: IO[bytes], target: IO[bytes]) -> None:
        target.write(source.read(10))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", fill_the_disk)
    written = {"web.log": "now" * 100, "web.log.1": "before", "web.log.5": "long before"}
    for name, text in written.items():
        (tmp_path / name).write_text(text)
    for _ in range(logs.KEPT + 1):
        logs.rotate(tmp_path / "web.log", 100)
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == written


def test_the_log_of_a_child_that_runs_is_put_away_while_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    path.write_bytes(bytes(logs.MOST_BYTES))
    write = "import time\nwhile True: print('at work', flush=True); time.sleep(0.02)"
    child = Child("worker", [sys.executable, "-c", write], {}, path)
    try:
        until = time.monotonic() + 10
        while not (path.stat().st_size < 10_000 and b"at work" in path.read_bytes()):
            assert time.monotonic() < until
            assert child.revive(lambda words: None)
            time.sleep(0.05)
        assert (tmp_path / "worker.log.1").stat().st_size >= logs.MOST_BYTES
    finally:
        child.ask_to_stop()
        child.wait()
