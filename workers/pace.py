"""How many jobs are claimed at once: one where one waits, many where many do, and never more than a moment's work."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import linear_regression

from django.conf import settings

_BATCH_SECONDS = 0.1
"""An urgent image that comes while a batch is read waits for the rest of it."""
_REMEMBERED = 20
_APART = 2
"""Batches of sizes that differ by this factor tell the cost of an image from that of a call."""


class Pace:
    """What the engine takes for an image more, by its last batches."""

    def __init__(self) -> None:
        self._batches: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)
        self._seconds_per_image: float | None = None

    def limit(self) -> int:
        """How many images cost the engine a tenth of a second; `CXR_BATCH_SIZE` at most, one at least.

        What a call costs however many images it has does not count: smaller batches would not end sooner by it.
        """
        most: int = settings.CXR_BATCH_SIZE
        if not self._seconds_per_image:
            return most
        return max(1, min(most, int(_BATCH_SECONDS / self._seconds_per_image)))

    @contextmanager
    def timing(self, images: int) -> Iterator[None]:
        """Learn from the reading of so many images."""
        started = time.perf_counter()
        yield
        self._batches.append((images, time.perf_counter() - started))
        self._seconds_per_image = self._estimate()

    def _estimate(self) -> float:
        sizes, seconds = zip(*self._batches, strict=True)
        mean = sum(seconds) / sum(sizes)
        if max(sizes) < _APART * min(sizes):
            return mean
        return min(mean, max(0.0, linear_regression(sizes, seconds).slope))
