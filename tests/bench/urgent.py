"""How long one urgent image takes while hundreds of others wait, over decode and engine alone.

The bare side is taken before and after, while the site is idle. In between the worker is held still until seven
hundred images wait that are not urgent, and let go. Urgent ones are sent one at a time, at moments that have nothing
to do with the worker's batches, until the API gives the answer to a request that waits for it (`?wait=`). Where fewer
than four hundred others wait before one, they are filled up first.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import psutil

from tests.bench.bench import Bench
from tests.bench.figures import Figures, ratio_of_medians
from tests.bench.files import spread
from tests.bench.sender import Sender
from tests.integration.site import Site, wait_until

_SINGLES = 20
_FULL = 700
_LOW = 400
_PART = 100
_LONGEST_PAUSE_SECONDS = 1.0


def measure(bench: Bench) -> Figures:
    sender = bench.sender
    sender.wait_until_idle()
    files = spread(bench.files, _SINGLES)
    bare = [bench.seconds_bare([file]) for file in files]
    chance = Random(1)
    seen, waiting = [], []
    for file in files:
        if sender.waiting() < _LOW:
            _fill(bench, sender)
        time.sleep(chance.uniform(0, _LONGEST_PAUSE_SECONDS))
        seen.append(sender.way_of(file, urgent="true").seen)
        waiting.append(sender.waiting())
    sender.wait_until_idle()
    bare += [bench.seconds_bare([file]) for file in files]
    return {
        "seen_over_bare": ratio_of_medians(seen, bare),
        "upload_to_seen_ms": statistics.median(seen) * 1000,
        "bare_ms": statistics.median(bare) * 1000,
        "others_waiting_at_least": min(waiting),
    }


def _fill(bench: Bench, sender: Sender) -> None:
    """Send others until enough wait, and come back once the worker is at them."""
    with _worker_held(sender.site):
        while sender.waiting() < _FULL:
            sender.send(spread(bench.files, _PART))
    full = sender.waiting()
    wait_until(lambda: sender.waiting() < full, 60, "the worker takes what waits")


@contextmanager
def _worker_held(site: Site) -> Iterator[None]:
    worker = psutil.Process(site.worker_child)
    worker.suspend()
    try:
        yield
    finally:
        worker.resume()
