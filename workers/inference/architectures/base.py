"""What an architecture must say of itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras


@dataclass(frozen=True)
class Architecture:
    """A convolutional backbone that takes pixels scaled to [-1, 1] and ends in a feature map."""

    name: str
    build_backbone: Callable[[Path | None], keras.Model]
    """Gives the backbone, input (n, size, size, 3) for any size that 32 divides, output (n, rows, columns, channels),
    with the weights of a file, or at random where there is none."""
    gate_layer: str
    """The backbone's layer in the middle whose output the gate looks at: it still knows where things are."""
