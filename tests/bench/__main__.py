"""`python -m tests.bench [FOLDER] [--only NAME…] [--long] [--json FILE]`: a table, and the same as JSON.

Both sides of each ratio are taken in turns on this machine, in one run, so that it means something where times alone
do not.
"""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.bench.bench import MODEL, Bench
from tests.bench.facts import facts
from tests.bench.figures import Row, rows_of, table_of
from tests.bench.files import drawn_files, files_of
from tests.bench.registry import MEASURES


def main() -> int:
    """The exit status is 1 where a measure could not be taken; a goal that is not met is no error."""
    options = _options()
    files = files_of(options.folder) if options.folder else drawn_files()
    if not files:
        print(f"{options.folder} holds no files.", file=sys.stderr)
        return 2
    with Bench(files, is_long=options.long) as bench:
        rows = [row for name in options.only for row in _taken(bench, name)]
    Console().print(table_of(rows, f"{len(files)} {'files' if options.folder else 'phantoms'}"))
    machine = facts(files, MODEL, are_drawn=not options.folder)
    text = json.dumps({"rows": [row.data() for row in rows], "machine": machine}, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    return int(any(row.value is None for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("folder", type=Path, nargs="?", help="radiographs; phantoms are drawn where none is given")
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=list(MEASURES), metavar="NAME")
    parser.add_argument("--long", action="store_true", help="20,000 images instead of 3,000 through one worker")
    parser.add_argument("--json", type=Path, help="also write the JSON to this file")
    return parser.parse_args()


def _taken(bench: Bench, name: str) -> Sequence[Row]:
    """The rows of one measure; one that breaks must not take the others' figures with it."""
    started = time.monotonic()
    print(f"{name} …", end=" ", file=sys.stderr, flush=True)
    try:
        rows = rows_of(name, MEASURES[name].take(bench), MEASURES[name].goals)
    except Exception:  # noqa: BLE001 - whatever it was, it is told and counts as not met
        traceback.print_exc()
        return [Row(name, figure, None, goal) for figure, goal in MEASURES[name].goals.items()]
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    return rows


if __name__ == "__main__":
    sys.exit(main())
