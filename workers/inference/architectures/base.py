"""What an architecture must say of itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras


@dataclass(frozen=True)
class Architecture:
    """A convolutional backbone that takes pixels scaled to [-1, 1] and ends in a feature map."""

    name: str
    input_size: int
    """Edge of the square input, in pixels."""
    build_backbone: Callable[[Path | None], keras.Model]
    """Gives the backbone, input (n, size, size, 3), output (n, rows, columns, channels), with the weights of a
    file, or at random where there is none."""
