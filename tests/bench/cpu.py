"""CPU seconds per image of the whole site, over those of a demo that loads its model for each request.

The site's are the user and system time of all of its processes (supervisor, web, worker, scheduler, PostgreSQL,
Redis) and of those of their children that ended meanwhile, from the first upload to the last committed result. What
the site spends while it waits is in it; the sender is not. The demo is `tests/bench/demo.py` in a process of its own,
which tells the CPU time of each request; what it spends on starting and importing TensorFlow is left out, and so is
HTTP.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

import psutil

from tests.bench.bench import MODEL, Bench
from tests.bench.figures import Figures
from tests.bench.files import File, spread
from tests.bench.place import place
from tests.integration.site import ROOT, Site

_ROUNDS = 3
_DEMO_REQUESTS = 6


def measure(bench: Bench) -> Figures:
    sender = bench.sender
    before = _seconds_of(sender.site)
    for _ in range(_ROUNDS):
        sender.seconds_until_committed(bench.files)
    product = (_seconds_of(sender.site) - before) / (_ROUNDS * len(bench.files))
    demo = statistics.median(_seconds_of_demo(spread(bench.files, _DEMO_REQUESTS)))
    return {
        "site_over_demo": product / demo,
        "site_cpu_ms_per_image": product * 1000,
        "demo_cpu_ms_per_image": demo * 1000,
    }


def _seconds_of(site: Site) -> float:
    """All CPU time that the site has spent so far. A child that has ended counts with the parent that reaped it."""
    total = 0.0
    for process in site.processes():
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _seconds_of_demo(files: Sequence[File]) -> list[float]:
    with place() as folder:
        paths = [folder / f"{number}-{name}" for number, (name, _) in enumerate(files)]
        for path, (_, data) in zip(paths, files, strict=True):
            path.write_bytes(data)
        command = [sys.executable, "-m", "tests.bench.demo", str(MODEL), str(folder), *map(str, paths)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"the demo ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    seconds: list[float] = json.loads(done.stdout.splitlines()[-1])
    return seconds
