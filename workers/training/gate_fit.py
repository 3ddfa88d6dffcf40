"""Fitting the gate: what the network's features look like for radiographs, and for everything else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from workers.inference.card import GateLimits
from workers.inference.gate import GATE_CLASSES, Features, GateWeights, opinions

FeaturesOf = Callable[[NDArray[np.uint8]], Features]
"""From pictures (n, size, size) to features (n, m)."""

_AXES = 96
_INVERSE_PENALTY = 2e-3
_REFUSED_RADIOGRAPHS = 0.001
_DISTANCE_MARGIN = 1.15


@dataclass(frozen=True)
class GateExamples:
    """Features with what the gate should say of each. `kinds` tell accepted pictures apart: -1 for the others."""

    features: Features
    targets: NDArray[np.int64]
    """Places in `GATE_CLASSES`."""
    kinds: NDArray[np.int64]


def join(parts: Sequence[GateExamples]) -> GateExamples:
    """All examples in one."""
    return GateExamples(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.targets for part in parts]),
        np.concatenate([part.kinds for part in parts]),
    )


def fit_gate(examples: GateExamples) -> GateWeights:
    """Fit the regression and the distance. Every class of `GATE_CLASSES` must have examples."""
    accepted = examples.targets == 0
    mean = examples.features[accepted].mean(axis=0)
    scale = examples.features[accepted].std(axis=0) + 1e-3
    standard = np.clip((examples.features - mean) / scale, -20, 20)
    regression = LogisticRegression(C=_INVERSE_PENALTY, class_weight="balanced", max_iter=1000)
    regression.fit(standard, examples.targets)
    axes, centres = _whitening(standard[accepted], examples.kinds[accepted])
    return GateWeights(
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        kernel=regression.coef_.T.astype(np.float32),
        bias=regression.intercept_.astype(np.float32),
        axes=axes.astype(np.float32),
        centres=centres.astype(np.float32),
    )


def choose_limits(weights: GateWeights, radiographs: Features) -> GateLimits:
    """Limits at which about one in a thousand of these accepted validation pictures is refused by each question."""
    seen = opinions(weights, radiographs)
    accepted = np.array([opinion.probabilities[0] for opinion in seen])
    distances = np.array([opinion.distance for opinion in seen])
    return GateLimits(
        accepted_probability=min(0.5, float(np.quantile(accepted, _REFUSED_RADIOGRAPHS))),
        distance=float(np.quantile(distances, 1 - _REFUSED_RADIOGRAPHS)) * _DISTANCE_MARGIN,
    )


def target_of(fault: str) -> int:
    """The place of a fault in `GATE_CLASSES`; too low a quality is no class of its own and counts as no chest."""
    return GATE_CLASSES.index(fault) if fault in GATE_CLASSES else 1


def _whitening(
    standard: NDArray[np.float32], kinds: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Axes (f, p) on which the accepted pictures' spread within a kind is 1, and the kinds' centres (c, p) there."""
    count = min(_AXES, standard.shape[1], len(standard) - 1)
    principal = PCA(count, svd_solver="randomized", random_state=0).fit(standard).components_.T
    reduced = standard @ principal
    names = np.unique(kinds)
    centres = np.stack([reduced[kinds == kind].mean(axis=0) for kind in names])
    within = reduced - centres[np.searchsorted(names, kinds)]
    values, vectors = np.linalg.eigh(LedoitWolf(assume_centered=True).fit(within).covariance_)
    whitener = vectors / np.sqrt(values)
    return principal @ whitener, centres @ whitener
