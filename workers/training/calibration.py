"""What is chosen on validation patients: temperature, threshold, bands and heatmap limits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.inference.attention import border_share
from workers.inference.card import Band, HeatmapLimits
from workers.training.metrics import Labels, Scores, choose_band, choose_threshold, fit_temperature, to_probabilities

_FLOOR_PERCENTILE = 5
_BORDER_PERCENTILE = 99
_LEAST_BORDER_SHARE = 0.1
"""A network that never looks at the border on validation pictures is not to be warned of at its first faint glance."""
_UNSTEADY_PERCENTILE = 99


@dataclass(frozen=True)
class Scored:
    """A network's raw answers on n pictures, as they are and under v harmless changes of each."""

    labels: Labels
    scores: Scores
    """(n,) log-odds."""
    changed: NDArray[np.float64]
    """(v, n) log-odds of the changed pictures."""
    attention: NDArray[np.float32]
    """(n, rows, columns)."""


@dataclass(frozen=True)
class Calibration:
    """What goes from validation patients onto the card."""

    temperature: float
    threshold: float
    band: Band
    unsteady: Band
    heatmap: HeatmapLimits


def calibrate(scored: Scored) -> Calibration:
    """Choose everything on validation pictures and their changed copies: as they stand alone, they flatter.

    Threshold: best balanced accuracy. Temperature: least log loss. The `unsteady` band is as wide as 99 in 100 of
    the changes move a score.
    """
    labels = np.tile(scored.labels, 1 + len(scored.changed))
    scores = np.concatenate([scored.scores, *scored.changed])
    temperature = fit_temperature(labels, scores)
    probabilities = to_probabilities(scores, temperature)
    threshold = choose_threshold(labels, probabilities)
    low, high = choose_band(labels, probabilities, threshold)
    called = to_probabilities(scored.scores, temperature) >= threshold
    return Calibration(
        temperature=temperature,
        threshold=threshold,
        band=Band(low=low, high=high),
        unsteady=_unsteady_band(scored, temperature, threshold, Band(low=low, high=high)),
        heatmap=_heatmap_limits(scored.attention[called]),
    )


def _unsteady_band(scored: Scored, temperature: float, threshold: float, band: Band) -> Band:
    """Around the threshold, as far as a harmless change is seen to move a score; never narrower than `band`."""
    reach = float(np.percentile(np.abs(scored.changed - scored.scores), _UNSTEADY_PERCENTILE))
    edge = temperature * float(np.log(threshold / (1 - threshold)))
    low, high = to_probabilities(np.array([edge - reach, edge + reach]), temperature)
    return Band(low=min(float(low), band.low), high=max(float(high), band.high))


def _heatmap_limits(attention: NDArray[np.float32]) -> HeatmapLimits:
    """From the maps of the pictures that are called pneumonia."""
    shares = [border_share(heat) for heat in attention]
    return HeatmapLimits(
        floor=float(np.percentile(attention.max(axis=(1, 2)), _FLOOR_PERCENTILE)),
        border_share=max(_LEAST_BORDER_SHARE, float(np.percentile(shares, _BORDER_PERCENTILE))),
    )
