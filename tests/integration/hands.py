"""Hands on a site's processes: killed, stopped, emptied."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.integration.site import Site, is_alive, wait_until


def kill(*pids: int) -> None:
    """kill -9, and see that they are gone."""
    processes = [psutil.Process(pid) for pid in pids]
    for process in processes:
        process.kill()
    wait_until(lambda: not any(map(is_alive, processes)), 10, f"processes {pids} are gone")


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that stands still as long as the context lasts."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def wait_until_said(site: Site, words: str, before: str) -> None:
    """Wait until the site says on its output what it had not said `before`."""
    said = len(before)
    wait_until(lambda: words in site.output[said:], 30, f"the site says {words!r}")


def kill_redis_and_what_it_kept(site: Site) -> None:
    """Redis dead, and nothing left that it could start again with. The supervisor stands still meanwhile."""
    kill(site.redis)
    kept = list((site.var / "redis").glob("appendonly*"))
    assert kept, "Redis keeps nothing that could be taken away"
    for file in kept:
        file.unlink()


def broken_models(source: Path, folder: Path) -> None:
    """A copy of shipped models in which one bit of the default's weights is not what it was."""
    shutil.copytree(source, folder)
    weights = folder / "mobilenet_v2" / "reader.bin"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 0xFF
    weights.write_bytes(data)
