"""What every engine gives: the same numbers, to 1e-3."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RawReadings:
    """A network's answers for n pictures.

    `scores`, shape (n,), are log-odds of pneumonia; `attention`, shape (n, rows, columns), is Grad-CAM in log-odds
    per cell, 0 or more; `features`, shape (n, m), are what the gate judges by.
    """

    scores: NDArray[np.float32]
    attention: NDArray[np.float32]
    features: NDArray[np.float32]


class Engine(Protocol):
    """A network, loaded."""

    name: str

    def read(self, pictures: NDArray[np.uint8]) -> RawReadings:
        """Read pictures of shape (n, size, size), grey levels 0 to 255; n is 1 or more."""
        ...
