"""Stands for a reader that its input makes take all memory there is."""

import sys
from collections.abc import Sequence

from workers.inference import alone
from workers.inference.reader import ReadRequest


class _HungryReader:
    def __init__(self, *_: object, **__: object) -> None:
        pass

    def read(self, requests: Sequence[ReadRequest]) -> list[object]:
        return [bytearray(16 * 1024**3) for _ in requests]


if __name__ == "__main__":
    alone.Reader = _HungryReader  # type: ignore[attr-defined,assignment]
    sys.exit(alone.main(*sys.argv[1:]))
