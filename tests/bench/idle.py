"""How long one image takes on a site that has nothing else to do, over decode and engine alone.

The same files one at a time, each in turns on both sides: read in this process, and uploaded until the API gives the
answer, to a request that waits for it (`?wait=`). Medians of both.
"""

import statistics

from tests.bench.bench import Bench
from tests.bench.figures import Figures, ratio_of_medians
from tests.bench.files import spread

_SINGLES = 30


def measure(bench: Bench) -> Figures:
    sender = bench.sender
    sender.wait_until_idle()
    files = spread(bench.files, _SINGLES)
    turns = [(sender.way_of(file), bench.seconds_bare([file])) for file in files]
    ways, bare = [way for way, _ in turns], [seconds for _, seconds in turns]
    return {
        "seen_over_bare": ratio_of_medians([way.seen for way in ways], bare),
        **{f"upload_to_{mark}_ms": statistics.median(vars(way)[mark] for way in ways) * 1000 for mark in vars(ways[0])},
        "bare_ms": statistics.median(bare) * 1000,
    }
