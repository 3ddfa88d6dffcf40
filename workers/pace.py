"""How many images make a moment's work for the engine."""

import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import linear_regression

from django.conf import settings

_SIDE_BY_SIDE = os.cpu_count() or 1
"""Decoders and an engine on processors take an image each; a smaller batch would leave some of them idle."""
_REMEMBERED = 20
_APART = 2
"""Batches of sizes that differ by this factor tell the cost of an image from that of a call."""


class Pace:
    """What the engine takes for an image more, by its last batches."""

    def __init__(self) -> None:
        self._batches: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)
        self._seconds_per_image: float | None = None

    def limit(self, seconds: float) -> int:
        """How many images cost the engine so many seconds, in whole rounds of one for each processor.

        One round at least, and `CXR_BATCH_SIZE` at most. What a call costs however many images it has does not count:
        smaller batches would not end sooner by it.
        """
        most: int = settings.CXR_BATCH_SIZE
        if not self._seconds_per_image:
            return most
        rounds = int(seconds / self._seconds_per_image / _SIDE_BY_SIDE)
        return min(most, max(1, rounds) * _SIDE_BY_SIDE)

    @contextmanager
    def timing(self, images: int) -> Iterator[None]:
        """Learn from the reading of so many images."""
        started = time.perf_counter()
        yield
        self._batches.append((images, time.perf_counter() - started))
        self._seconds_per_image = self._estimate()

    def _estimate(self) -> float:
        sizes = [images for images, _ in self._batches]
        seconds = [taken for _, taken in self._batches]
        mean = sum(seconds) / sum(sizes)
        if max(sizes) < _APART * min(sizes):
            return mean
        return min(mean, max(0.0, linear_regression(sizes, seconds).slope))
