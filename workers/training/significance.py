"""Whether two readers of the same pictures differ by more than chance. These tests count pictures as independent.

Where patients have several pictures the intervals of `workers.training.intervals` are the more careful ones.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, rankdata

from workers.training.intervals import Figure
from workers.training.metrics import Labels, Scores

_Z95 = float(norm.ppf(0.975))


@dataclass(frozen=True)
class DelongTest:
    """The difference of two correlated AUCs, second minus first, with its interval and two-sided p-value."""

    difference: Figure
    p: float


@dataclass(frozen=True)
class McNemarTest:
    """How many pictures only the first and only the second reader got right, and the exact two-sided p-value."""

    only_first: int
    only_second: int
    p: float


def delong_auc(labels: Labels, scores: Scores) -> Figure:
    """The AUC with DeLong's interval (DeLong, DeLong and Clarke-Pearson, 1988), cut to 0..1.

    Perfect separation has no variance, and so an interval without width: the bootstrap has the same weakness.
    """
    values, covariance = delong_covariance(labels, [scores])
    reach = _Z95 * float(np.sqrt(covariance[0, 0]))
    return Figure(float(values[0]), max(0.0, values[0] - reach), min(1.0, values[0] + reach))


def delong_test(labels: Labels, first: Scores, second: Scores) -> DelongTest:
    """The paired test of two AUCs on the same pictures. Without any variance p is 1 for equal ones, else 0."""
    values, covariance = delong_covariance(labels, [first, second])
    difference = float(values[1] - values[0])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    # Rounding leaves a variance of about 1e-18 where there is none.
    error = np.sqrt(variance) if variance > 1e-14 else 0.0
    p = float(2 * norm.sf(abs(difference) / error)) if error else float(abs(difference) < 1e-12)
    return DelongTest(Figure(difference, difference - _Z95 * error, difference + _Z95 * error), p)


def delong_covariance(labels: Labels, readers: list[Scores]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUCs, shape (r,), and their covariance, shape (r, r), of r readers of the same pictures.

    By midranks, in n log n (Sun and Xu, 2014). Needs two pictures of each class.
    """
    positives, negatives = np.array([r[labels] for r in readers]), np.array([r[~labels] for r in readers])
    m, n = positives.shape[1], negatives.shape[1]
    if m < 2 or n < 2:
        raise ValueError("the variance of an AUC needs two pictures of each class")
    together = rankdata(np.concatenate([positives, negatives], axis=1), axis=1)
    # Share of the other class's pictures that each picture is rightly above, or below; ties count by half.
    above = (together[:, :m] - rankdata(positives, axis=1)) / n
    below = 1 - (together[:, m:] - rankdata(negatives, axis=1)) / m
    covariance = np.atleast_2d(np.cov(above)) / m + np.atleast_2d(np.cov(below)) / n
    return above.mean(axis=1), covariance


def mcnemar(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_]) -> McNemarTest:
    """McNemar's test (1947), exact: whether the pictures that only one of two readers got right are evenly shared."""
    only_first = int(np.count_nonzero(first_right & ~second_right))
    only_second = int(np.count_nonzero(second_right & ~first_right))
    discordant = only_first + only_second
    p = float(binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return McNemarTest(only_first, only_second, p)
