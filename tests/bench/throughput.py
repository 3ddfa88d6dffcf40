"""Images per second, from HTTP upload to committed result, over a bare loop on the same files.

Both sides take all files in turns, for several rounds. The bare side decodes, preprocesses and runs the engine with
Grad-CAM in batches of sixteen in this process. The other side is the whole site on the same machine: one sender
uploads studies of twenty files, one after the other, and the clock runs until PostgreSQL holds the last answer. The
sender's own work is in it.
"""

import statistics

from tests.bench.bench import Bench
from tests.bench.figures import Figures, ratio_of_turns

_ROUNDS = 5


def measure(bench: Bench) -> Figures:
    sender, files = bench.sender, bench.files
    bench.seconds_bare(files[:20])
    turns = [(bench.seconds_bare(files), sender.seconds_until_committed(files)) for _ in range(_ROUNDS)]
    return {
        "site_over_bare_loop": ratio_of_turns(turns),
        "bare_loop_images_per_second": len(files) / statistics.median(bare for bare, _ in turns),
        "site_images_per_second": len(files) / statistics.median(served for _, served in turns),
    }
