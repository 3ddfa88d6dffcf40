"""`python -m workers.inference.selfcheck FOLDER ENGINE`: can this model be served here? Exit status 0 if so.

A worker runs it in a process of its own before it starts: its parent process must never load an engine.
"""

import sys
from pathlib import Path

from workers.inference.card import ModelError
from workers.inference.reader import Reader


def main(folder: str, engine: str) -> int:
    """Load and warm the model; the error goes to standard error."""
    try:
        reader = Reader(Path(folder), engine)
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{reader.card.name} {reader.card.version} on {reader.engine}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
