"""What the audit takes: events per second of eight processes, each committing one at a time, hashed and plain.

All go by the product's own `audit.record`, while a ninth seals the chain each second. Plain is the same table with the
same indexes, in sessions whose triggers are switched off, as only a superuser may. In turns, on one database.
"""

import statistics
from collections.abc import Sequence

from tests.bench.figures import Figures, ratio_of_turns
from tests.bench.ground import Hand, ground

_WRITERS = 8
_TURNS = 3
_SECONDS = 4.0


def measure(_: object = None) -> Figures:
    with ground() as writers_ground:
        hands = [writers_ground.hand() for _ in range(_WRITERS + 1)]
        _rate(hands, 1.0, chained=True)  # what is opened once is not counted
        turns = [(_rate(hands, _SECONDS, chained=True), _rate(hands, _SECONDS, chained=False)) for _ in range(_TURNS)]
    return {
        "chained_events_per_second": statistics.median(chained for chained, _ in turns),
        "plain_events_per_second": statistics.median(plain for _, plain in turns),
        "chained_over_plain": ratio_of_turns(turns),
    }


def _rate(hands: Sequence[Hand], seconds: float, *, chained: bool) -> float:
    *writers, sealer = hands
    sealer.tell("keep_sealing", seconds=seconds)
    for hand in writers:
        hand.tell("put_on_record", seconds=seconds, chained=chained)
    written = sum(int(hand.answer()) for hand in writers)
    sealer.answer()
    return written / seconds
