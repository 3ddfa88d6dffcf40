"""CPU seconds per image of the whole site, over those of a demo that loads its model for each request.

The site's are the user and system time of all of its processes (supervisor, web, worker, scheduler, PostgreSQL,
Redis) and of those of their children that ended meanwhile, from the first upload to the last committed result. What
the site spends while it waits is in it; the sender is not. It is given by process, too, and beside it that of the bare
loop. The demo is `tests/bench/demo.py` in a process of its own,
which tells the CPU time of each request; what it spends on starting and importing TensorFlow is left out, and so is
HTTP.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import psutil
from numpy.typing import NDArray

from tests.bench.bench import MODEL, Bench
from tests.bench.figures import Figures
from tests.bench.files import File, spread
from tests.bench.place import place
from tests.integration.site import ROOT, Site

_ROUNDS = 3
_DEMO_REQUESTS = 6


def measure(bench: Bench) -> Figures:
    sender = bench.sender
    images = _ROUNDS * len(bench.files)
    before = _seconds_of(sender.site)
    for _ in range(_ROUNDS):
        sender.seconds_until_committed(bench.files)
    spent = (_seconds_of(sender.site) - before) / images
    started = time.process_time()
    for _ in range(_ROUNDS):
        bench.seconds_bare(bench.files)
    bare = (time.process_time() - started) / images
    demo = statistics.median(_seconds_of_demo(spread(bench.files, _DEMO_REQUESTS)))
    return {
        "site_over_demo": spent.sum() / demo,
        "site_cpu_ms_per_image": spent.sum() * 1000,
        **{f"of_it_{part}_ms": seconds * 1000 for part, seconds in zip(_PARTS, spent, strict=True)},
        "bare_loop_cpu_ms_per_image": bare * 1000,
        "demo_cpu_ms_per_image": demo * 1000,
    }


_PARTS = ("web_server", "worker", "postgresql", "all_else")


def _seconds_of(site: Site) -> NDArray[np.float64]:
    """All CPU time that each of `_PARTS` has spent so far. A child that has ended counts with who reaped it.

    The helper that decodes for a process counts with that process.
    """
    web, worker = site.web, site.worker_child
    spent = dict.fromkeys(_PARTS, 0.0)
    for process in site.processes():
        with suppress(psutil.NoSuchProcess):
            known = {web: "web_server", worker: "worker"}
            part = known.get(process.pid) or known.get(process.ppid())
            part = part or ("postgresql" if process.name() == "postgres" else "all_else")
            times = process.cpu_times()
            spent[part] += times.user + times.system + times.children_user + times.children_system
    return np.array(list(spent.values()))


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
