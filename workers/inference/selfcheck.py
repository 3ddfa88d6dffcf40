"""Whether models can be served here: `python -m workers.inference.selfcheck ENGINE LIVE [OTHER…]`.

The exit status is 0 where the first folder's model can; one of the others that cannot is only spoken of. A worker runs
it in a process of its own before it starts: its parent process must never load an engine.
"""

import sys
from pathlib import Path

from workers.inference.card import ModelError
from workers.inference.reader import Reader


def main(engine: str, live: str, *others: str) -> int:
    """Load and warm each model; errors go to standard error."""
    if not _is_good(live, engine):
        return 1
    for folder in others:
        if not _is_good(folder, engine):
            print(f"Going on without the model in {folder}.", file=sys.stderr)
    return 0


def _is_good(folder: str, engine: str) -> bool:
    try:
        reader = Reader(Path(folder), engine)
    except ModelError as error:
        print(error, file=sys.stderr)
        return False
    print(f"{reader.card.name} {reader.card.version} on {reader.engine}")
    return True


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
