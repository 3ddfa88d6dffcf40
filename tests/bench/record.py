"""What a long record costs: the auditor's pages beside ten thousand events and beside a million, and all of it at once.

On one database, which grows in between; a page's time is the median of its looks.
"""

from tests.bench.bench import Bench
from tests.bench.figures import Figures
from tests.bench.ground import ground

_SMALL, _LARGE = 10_000, 1_000_000


def measure(_: Bench) -> Figures:
    with ground() as place:
        hand = place.hand()
        hand.ask("fill_record", until=_SMALL)
        before = hand.ask("look_at_record")
        sealed = hand.ask("fill_record", until=_LARGE)
        after = hand.ask("look_at_record")
        through = hand.ask("go_through_record")
    return {
        "page_of_1e6_over_1e4_at_worst": max(after[page] / before[page] for page in after),
        "slowest_page_ms": max(after.values()),
        "sealed_events_per_second": sealed,
        **through,
    }
