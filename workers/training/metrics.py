"""Figures of a binary reader, each with its 95 % interval."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]

_ECE_BINS = 15


@dataclass(frozen=True)
class Figure:
    """A value with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def accuracy(labels: Labels, probabilities: Scores, threshold: float) -> float:
    """Share of pictures on the right side of `threshold` (a probability; at it counts as pneumonia)."""
    return float(np.mean((probabilities >= threshold) == labels))


def sensitivity(labels: Labels, probabilities: Scores, threshold: float) -> float:
    """Share of the pneumonias that are called so."""
    return float(np.mean(probabilities[labels] >= threshold))


def specificity(labels: Labels, probabilities: Scores, threshold: float) -> float:
    """Share of the normals that are called so."""
    return float(np.mean(probabilities[~labels] < threshold))


def expected_calibration_error(labels: Labels, probabilities: Scores) -> float:
    """ECE over 15 bins of equal width (Naeini et al., 2015), of the probability of pneumonia."""
    bins = np.minimum((probabilities * _ECE_BINS).astype(int), _ECE_BINS - 1)
    gaps = [
        abs(float(labels[bins == b].mean()) - float(probabilities[bins == b].mean())) * np.count_nonzero(bins == b)
        for b in np.unique(bins)
    ]
    return float(sum(gaps) / len(labels))


def fit_temperature(labels: Labels, scores: Scores) -> float:
    """The temperature T at which sigmoid(score / T) has the least log loss (Guo et al., 2017, arXiv:1706.04599)."""
    signs = np.where(labels, 1.0, -1.0)

    def log_loss(log_temperature: float) -> float:
        return float(np.mean(np.logaddexp(0.0, -signs * scores / np.exp(log_temperature))))

    return float(np.exp(minimize_scalar(log_loss, bounds=(-3.0, 3.0), method="bounded").x))


def choose_threshold(labels: Labels, probabilities: Scores) -> float:
    """The probability with the best balanced accuracy; in the middle of the gap where several are equal."""
    edges = np.unique(probabilities)
    candidates = np.concatenate([(edges[1:] + edges[:-1]) / 2, [0.5]])
    balanced = [
        sensitivity(labels, probabilities, float(c)) + specificity(labels, probabilities, float(c)) for c in candidates
    ]
    best = candidates[np.isclose(balanced, np.max(balanced))]
    return float(best[np.argmin(np.abs(best - np.median(best)))])


def summarise(
    labels: Labels, probabilities: Scores, patients: Sequence[str], threshold: float, resamples: int = 1000
) -> dict[str, Figure]:
    """Accuracy, AUC, sensitivity, specificity and ECE with intervals.

    The interval is that of a seeded bootstrap over patients; for a proportion it is widened to the exact binomial
    one (Clopper and Pearson, 1934), since a bootstrap of 139 right out of 139 would claim certainty.
    """
    figures: dict[str, Callable[[Labels, Scores], float]] = {
        "accuracy": lambda y, p: accuracy(y, p, threshold),
        "auc": lambda y, p: float(roc_auc_score(y, p)),
        "sensitivity": lambda y, p: sensitivity(y, p, threshold),
        "specificity": lambda y, p: specificity(y, p, threshold),
        "ece": expected_calibration_error,
    }
    trials = {"accuracy": len(labels), "sensitivity": int(labels.sum()), "specificity": int((~labels).sum())}
    draws = [rows for rows in _patient_bootstrap(patients, resamples) if 0 < labels[rows].mean() < 1]
    summary = {}
    for name, figure in figures.items():
        value = figure(labels, probabilities)
        low, high = _interval([figure(labels[rows], probabilities[rows]) for rows in draws])
        if name in trials:
            low, high = _widened(low, high, value, trials[name])
        summary[name] = Figure(value, low, high)
    return summary


def to_probabilities(scores: Scores, temperature: float) -> Scores:
    """Calibrated probabilities of pneumonia, 0 to 1, of raw log-odds."""
    return np.asarray(expit(scores / temperature), np.float64)


def _interval(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def _widened(low: float, high: float, value: float, trials: int) -> tuple[float, float]:
    exact = binomtest(round(value * trials), trials).proportion_ci(0.95, method="exact")
    return min(low, float(exact.low)), max(high, float(exact.high))


def _patient_bootstrap(patients: Sequence[str], resamples: int) -> list[NDArray[np.intp]]:
    names, owners = np.unique(np.asarray(patients), return_inverse=True)
    rows_of = [np.flatnonzero(owners == index) for index in range(len(names))]
    rng = np.random.default_rng(0)
    return [
        np.concatenate([rows_of[index] for index in rng.integers(0, len(names), len(names))]) for _ in range(resamples)
    ]
