"""Figures of a binary reader, each with its 95 % interval, and what is chosen on validation patients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit
from scipy.stats import rankdata

from workers.training.intervals import RESAMPLES, Figure, Rows, bootstrap_by_patient, resampled, widened

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]
Edges = tuple[float, float]
"""Of the band in which the product says that it cannot tell: inside are probabilities from the first up to, and
without, the second."""

_ECE_BINS = 15
_WANTED_SENSITIVITY = 0.98
_WANTED_ACCURACY = 0.99
_LEAST_HALF_WIDTH = 0.01


def accuracy(labels: Labels, probabilities: Scores, threshold: float) -> float:
    """Share of pictures on the right side of `threshold` (a probability; at it counts as pneumonia)."""
    return float(np.mean((probabilities >= threshold) == labels))


def sensitivity(labels: Labels, probabilities: Scores, threshold: float) -> float:
    """Share of the pneumonias that are called so."""
    return float(np.mean(probabilities[labels] >= threshold))


def specificity(labels: Labels, probabilities: Scores, threshold: float) -> float:
    """Share of the normals that are called so."""
    return float(np.mean(probabilities[~labels] < threshold))


def auc(labels: Labels, probabilities: Scores) -> float:
    """Area under the ROC curve, by ranks: a bootstrap asks for it a thousand times."""
    positives = int(labels.sum())
    ranks = rankdata(probabilities)[labels].sum() - positives * (positives + 1) / 2
    return float(ranks / (positives * (len(labels) - positives)))


def average_precision(labels: Labels, probabilities: Scores) -> float:
    """Mean of the precision over the steps of recall, from the highest probability down; equal ones are one step."""
    order = np.argsort(-probabilities)
    ends = np.flatnonzero(np.append(np.diff(probabilities[order]), -1.0))
    found = np.cumsum(labels[order])[ends]
    return float(np.sum(np.diff(found, prepend=0) * found / (ends + 1)) / found[-1])


def specificity_at_sensitivity(labels: Labels, probabilities: Scores, wanted: float = _WANTED_SENSITIVITY) -> float:
    """The best specificity of any threshold that finds at least `wanted` of the pneumonias: a point of the ROC curve.

    It says how well the classes are told apart where few may be missed, whatever the card's threshold is.
    """
    found = np.sort(probabilities[labels])[::-1]
    # The small number keeps 0.98 * 150 from being a hair above 147.
    threshold = found[int(np.ceil(wanted * len(found) - 1e-9)) - 1]
    return specificity(labels, probabilities, float(threshold))


def expected_calibration_error(labels: Labels, probabilities: Scores) -> float:
    """ECE over 15 bins of equal width (Naeini et al., 2015), of the probability of pneumonia."""
    bins = np.minimum((probabilities * _ECE_BINS).astype(int), _ECE_BINS - 1)
    # A bin's gap times its pictures is the difference of two sums.
    gaps = np.bincount(bins, weights=labels - probabilities)
    return float(np.abs(gaps).sum() / len(labels))


def brier(labels: Labels, probabilities: Scores) -> float:
    """Mean squared distance of the probability from the truth (Brier, 1950): 0 at best, 0.25 for always one half."""
    return float(np.mean((probabilities - labels) ** 2))


def inside(probabilities: Scores, band: Edges) -> NDArray[np.bool_]:
    """Which probabilities lie in the band."""
    return (probabilities >= band[0]) & (probabilities < band[1])


def fit_temperature(labels: Labels, scores: Scores) -> float:
    """The temperature T at which sigmoid(score / T) has the least log loss (Guo et al., 2017, arXiv:1706.04599)."""
    signs = np.where(labels, 1.0, -1.0)

    def log_loss(log_temperature: float) -> float:
        return float(np.mean(np.logaddexp(0.0, -signs * scores / np.exp(log_temperature))))

    return float(np.exp(minimize_scalar(log_loss, bounds=(-3.0, 3.0), method="bounded").x))


def fit_shift(labels: Labels, scores: Scores) -> float:
    """What to add to the scores so that 0 means even odds: sigmoid((score + shift) / T) then has the least log loss.

    After Platt (1999), over T and shift at once. Batches with as many normals as pneumonias, and soft targets, leave
    a network with odds that no folder of patients has; a temperature alone cannot mend that.
    """
    signs = np.where(labels, 1.0, -1.0)

    def log_loss(unknown: NDArray[np.float64]) -> float:
        log_temperature, shift = unknown
        return float(np.mean(np.logaddexp(0.0, -signs * (scores + shift) / np.exp(log_temperature))))

    return float(minimize(log_loss, (0.0, 0.0), bounds=((-3, 3), (-20, 20))).x[1])


def choose_threshold(labels: Labels, probabilities: Scores) -> float:
    """The probability with the best balanced accuracy; in the middle of the gap where several are equal."""
    edges = np.unique(probabilities)
    candidates = (edges[1:] + edges[:-1]) / 2 if len(edges) > 1 else np.array([0.5])
    balanced = [
        sensitivity(labels, probabilities, float(c)) + specificity(labels, probabilities, float(c)) for c in candidates
    ]
    best = candidates[np.isclose(balanced, np.max(balanced))]
    return float(best[np.argmin(np.abs(best - np.median(best)))])


def choose_band(
    labels: Labels,
    probabilities: Scores,
    threshold: float,
    *,
    wanted_accuracy: float = _WANTED_ACCURACY,
    half_width: float = _LEAST_HALF_WIDTH,
) -> Edges:
    """The band around `threshold` outside which at least `wanted_accuracy` of the answers are right.

    Of all such bands, the one that leaves most pictures outside; of equal ones, the narrowest. Its edges lie in the
    middle between neighbouring probabilities, and each at least `half_width` from the threshold, or half the way to 0
    or 1 where that is nearer, so that always low < threshold < high. Where no band does, it is all of [0, 1].
    """
    below = _edges(probabilities, 0.0, threshold - min(half_width, threshold / 2))
    above = _edges(probabilities, threshold + min(half_width, (1 - threshold) / 2), 1.0)
    normals, pneumonias = np.sort(probabilities[~labels]), np.sort(probabilities[labels])
    right_below, wrong_below = np.searchsorted(normals, below), np.searchsorted(pneumonias, below)
    right_above = len(pneumonias) - np.searchsorted(pneumonias, above)
    wrong_above = len(normals) - np.searchsorted(normals, above)
    best: tuple[int, float] = (0, -1.0)
    band = (0.0, 1.0)
    for low, right, wrong in zip(below, right_below, wrong_below, strict=True):
        outside = right + wrong + right_above + wrong_above
        good = np.flatnonzero((right + right_above >= wanted_accuracy * outside) & (outside > 0))
        if good.size == 0:
            continue
        # `above` rises, so that the first of equal ones is the narrowest.
        place = good[np.argmax(outside[good])]
        merit = (int(outside[place]), float(low - above[place]))
        if merit > best:
            best, band = merit, (float(low), float(above[place]))
    return band


def _edges(probabilities: Scores, lowest: float, highest: float) -> Scores:
    """Where an edge of the band can lie, in rising order: both ends, and between any two neighbours."""
    found = np.unique(probabilities)
    between = (found[1:] + found[:-1]) / 2
    return np.concatenate([[lowest], between[(between > lowest) & (between < highest)], [highest]])


def to_probabilities(scores: Scores, temperature: float) -> Scores:
    """Calibrated probabilities of pneumonia, 0 to 1, of raw log-odds."""
    return np.asarray(expit(scores / temperature), np.float64)


@dataclass(frozen=True)
class Measure:
    """How a figure is computed; `trials` gives the pictures that a proportion counts, and is None for other figures."""

    compute: Callable[[Labels, Scores], float]
    trials: Callable[[Labels, Scores], int] | None = None

    def of(self, labels: Labels, probabilities: Scores) -> float:
        """The figure; NaN where it is a proportion of no pictures."""
        if self.trials and not self.trials(labels, probabilities):
            return float("nan")
        return self.compute(labels, probabilities)


def measures(threshold: float, band: Edges | None = None) -> dict[str, Measure]:
    """Every figure by its name; those of the band only where there is one."""
    found = {
        "accuracy": Measure(lambda y, p: accuracy(y, p, threshold), _count),
        "auc": Measure(auc),
        "average_precision": Measure(average_precision),
        "sensitivity": Measure(lambda y, p: sensitivity(y, p, threshold), lambda y, _: int(y.sum())),
        "specificity": Measure(lambda y, p: specificity(y, p, threshold), _normals),
        "specificity_at_98_sensitivity": Measure(specificity_at_sensitivity, _normals),
        "ece": Measure(expected_calibration_error),
        "brier": Measure(brier),
    }
    return found if band is None else found | _band_measures(threshold, band)


def _band_measures(threshold: float, band: Edges) -> dict[str, Measure]:
    def at(wanted: bool, labels: Labels, probabilities: Scores) -> tuple[Labels, Scores]:
        rows = inside(probabilities, band) == wanted
        return labels[rows], probabilities[rows]

    return {
        "band_coverage": Measure(lambda _, p: float(np.mean(~inside(p, band))), _count),
        "accuracy_outside_band": Measure(
            lambda y, p: accuracy(*at(False, y, p), threshold), lambda y, p: len(at(False, y, p)[0])
        ),
        "accuracy_inside_band": Measure(
            lambda y, p: accuracy(*at(True, y, p), threshold), lambda y, p: len(at(True, y, p)[0])
        ),
    }


def _count(labels: Labels, _: Scores) -> int:
    return len(labels)


def _normals(labels: Labels, _: Scores) -> int:
    return int((~labels).sum())


def summarise(
    labels: Labels,
    probabilities: Scores,
    patients: Sequence[str],
    threshold: float,
    *,
    band: Edges | None = None,
    resamples: int = RESAMPLES,
) -> dict[str, Figure]:
    """Every figure with its interval; needs pictures of both classes.

    The interval is that of a seeded bootstrap over patients; for a proportion it is widened to the exact binomial one.
    A proportion of no pictures (such as the accuracy inside a band that is empty) is left out.
    """
    draws = both_classes(labels, bootstrap_by_patient(patients, resamples))
    summary = {}
    for name, measure in measures(threshold, band).items():
        figure = resampled(lambda rows, m=measure: m.of(labels[rows], probabilities[rows]), len(labels), draws)  # type: ignore[misc]
        if np.isnan(figure.value):
            continue
        summary[name] = widened(figure, measure.trials(labels, probabilities)) if measure.trials else figure
    return summary


def both_classes(labels: Labels, draws: Sequence[Rows]) -> list[Rows]:
    """The resamples that hold pictures of both classes: figures are defined for these alone."""
    return [rows for rows in draws if 0 < labels[rows].mean() < 1]
