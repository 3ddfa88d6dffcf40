"""Stands for a reader that its input keeps busy for ever."""

import os
import sys
from collections.abc import Sequence

from workers.inference import alone
from workers.inference.reader import ReadRequest


class _BusyReader:
    def __init__(self, *_: object, **__: object) -> None:
        pass

    def read(self, requests: Sequence[ReadRequest]) -> list[object]:
        while True:
            os.getloadavg()


if __name__ == "__main__":
    alone.Reader = _BusyReader  # type: ignore[attr-defined,assignment]
    sys.exit(alone.main(*sys.argv[1:]))
