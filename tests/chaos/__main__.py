"""`python -m tests.chaos`: break everything, and show that nothing is lost and nothing read twice."""

import argparse
import random
import signal
import sys

from rich.console import Console

from tests.chaos.faults import FAULTS
from tests.chaos.report import show
from tests.chaos.run import Plan, run


def main() -> int:
    """The exit status is 0 where everything holds."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # in order, so that no site is left behind
    plan = _plan()
    console = Console()
    console.print(f"Seed {plan.seed}; the same faults in the same order: --seed {plan.seed}", highlight=False)
    outcome = run(plan, lambda words: console.print(words, highlight=False))
    show(outcome, console)
    return 1 if outcome.breaches else 0


def _plan() -> Plan:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="of the order, and of the pictures")
    parser.add_argument("--seconds", type=float, default=300, help="until no further fault is begun")
    parser.add_argument("--faults", nargs="+", metavar="NAME", choices=list(FAULTS), default=list(FAULTS))
    parser.add_argument(
        "--orphan-grace",
        type=float,
        default=45,
        metavar="SECONDS",
        help="files that no row speaks of must be gone after so long",
    )
    said = parser.parse_args()
    faults = [FAULTS[name] for name in said.faults]
    return Plan(said.seed, said.seconds, faults, orphan_grace_seconds=said.orphan_grace)


if __name__ == "__main__":
    sys.exit(main())
