"""The gate: whether the network has ever learned anything about pictures like this one.

It judges by the features that the reading network computes anyway. Two questions, both answered before a diagnosis is
given: which of the known kinds of picture is it most like (a multinomial logistic regression), and how far is it from
every radiograph that was learned from (the Mahalanobis distance of Lee et al., 2018, arXiv:1807.03888), which also
catches kinds that nobody thought of.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diagnoses.imaging.errors import ImageFault
from workers.inference.arrays import read_arrays
from workers.inference.card import GATE_NAME, GateLimits, ModelError

Features = NDArray[np.float32]

GATE_CLASSES = ("accepted", ImageFault.NOT_A_CHEST_XRAY, ImageFault.INVERTED, ImageFault.CROPPED_OR_ROTATED)
"""What the gate tells apart; the order is that of its weights."""


@dataclass(frozen=True)
class GateWeights:
    """What was fitted. f features, p principal axes, c centres of accepted pictures."""

    mean: NDArray[np.float32]
    """(f,) of the accepted pictures' features."""
    scale: NDArray[np.float32]
    """(f,) their standard deviations."""
    kernel: NDArray[np.float32]
    """(f, classes) of the regression on standardised features."""
    bias: NDArray[np.float32]
    """(classes,)."""
    axes: NDArray[np.float32]
    """(f, p) from standardised features to whitened ones: within a class of accepted pictures their variance is 1."""
    centres: NDArray[np.float32]
    """(c, p) of the classes of accepted pictures, whitened."""


@dataclass(frozen=True)
class GateOpinion:
    """What the gate makes of one picture."""

    probabilities: NDArray[np.float64]
    """(classes,) in the order of `GATE_CLASSES`, adding up to 1."""
    distance: float
    """To the nearest class of accepted pictures, per axis: about 1 for a picture like those that were learned from."""


class Gate:
    """The gate of one model, loaded."""

    def __init__(self, weights: GateWeights, limits: GateLimits) -> None:
        self._weights = weights
        self._limits = limits

    def judge(self, features: Features) -> list[ImageFault | None]:
        """For each row of `features`, shape (n, f): the reason to refuse it, or None."""
        return [self._verdict(opinion) for opinion in opinions(self._weights, features)]

    def _verdict(self, opinion: GateOpinion) -> ImageFault | None:
        if opinion.probabilities[0] < self._limits.accepted_probability:
            return ImageFault(GATE_CLASSES[1 + int(np.argmax(opinion.probabilities[1:]))])
        if opinion.distance > self._limits.distance:
            return ImageFault.NOT_A_CHEST_XRAY
        return None


def opinions(weights: GateWeights, features: Features) -> list[GateOpinion]:
    """What the gate makes of each row of `features`, shape (n, f)."""
    standard = np.clip((features - weights.mean) / weights.scale, -_FAR, _FAR)
    logits = (standard @ weights.kernel + weights.bias).astype(np.float64)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    whitened = standard @ weights.axes
    offsets = whitened[:, None, :] - weights.centres[None, :, :]
    distances = np.sqrt(np.square(offsets).mean(axis=2)).min(axis=1)
    return [GateOpinion(row, float(distance)) for row, distance in zip(probabilities, distances, strict=True)]


_FAR = 20.0
"""Standard deviations. A feature further out says no more than this, so that one wild feature decides nothing alone."""


def save_gate(weights: GateWeights, folder: Path) -> None:
    """Write the gate beside its card."""
    np.savez_compressed(folder / GATE_NAME, **vars(weights))


def load_gate(folder: Path, limits: GateLimits) -> Gate:
    """The gate of the model in `folder`. Raises ModelError where it cannot be read."""
    arrays = read_arrays(folder / GATE_NAME)
    try:
        return Gate(GateWeights(**arrays), limits)
    except TypeError as error:
        raise ModelError(f"{folder / GATE_NAME} cannot be loaded: it does not hold a gate") from error
