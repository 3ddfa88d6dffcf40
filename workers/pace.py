"""How many jobs are claimed at once: one where one waits, many where many do, and never more than a moment's work."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

_BATCH_SECONDS = 0.1
"""An urgent image that comes while a batch is read waits for the rest of it."""
_WEIGHT = 0.3
"""Of the last batch, against those before."""


class Pace:
    """The engine's seconds per image, by its last batches."""

    def __init__(self) -> None:
        self._seconds_per_image: float | None = None

    def limit(self) -> int:
        """How many images the engine reads in a tenth of a second; `CXR_BATCH_SIZE` at most, one at least."""
        most: int = settings.CXR_BATCH_SIZE
        if not self._seconds_per_image:
            return most
        return max(1, min(most, int(_BATCH_SECONDS / self._seconds_per_image)))

    @contextmanager
    def timing(self, images: int) -> Iterator[None]:
        """Learn from the reading of so many images."""
        started = time.perf_counter()
        yield
        taken = (time.perf_counter() - started) / images
        before = taken if self._seconds_per_image is None else self._seconds_per_image
        self._seconds_per_image = before + _WEIGHT * (taken - before)
