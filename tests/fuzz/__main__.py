"""`make fuzz`: hostile and broken files through all that reads files. It ends with 1 where anything was found."""

import argparse
import sys
import time

from tests.fuzz import guided
from tests.fuzz.corpus import corpus, damaged, drawn
from tests.fuzz.outcomes import is_clean, table
from tests.fuzz.passes import by_the_functions, differences, through_the_sandbox


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--seconds", type=int, default=120, help="for the fuzzer that is guided by coverage")
    options.add_argument("--seed", type=int, default=0, help="of the damage that is done to files")
    options.add_argument("--small", action="store_true", help="drawn files alone")
    chosen = options.parse_args()
    whole = drawn()
    samples = [*whole, *damaged(whole, seed=chosen.seed)] if chosen.small else corpus(seed=chosen.seed)
    started = time.monotonic()
    sandboxed, child_mb = through_the_sandbox(samples)
    print(table("Through the sandbox, as in serving", sandboxed, child_mb), flush=True)
    pure, process_mb = by_the_functions(samples)
    print(table("By the functions, in a watched process", pure, process_mb), flush=True)
    unlike = differences(sandboxed, pure)
    print(f"Told otherwise by the two: {len(unlike)}", *unlike, sep="\n  ")
    print(f"Both passes took {time.monotonic() - started:.0f} s.", flush=True)
    clean = is_clean(sandboxed) and is_clean(pure) and not unlike
    for harness, seeds_of in guided.HARNESSES.items():
        told, nothing_found = guided.run(harness, seeds_of(samples), chosen.seconds, seed=chosen.seed)
        print(told, flush=True)
        clean = clean and nothing_found
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
