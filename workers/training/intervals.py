"""95 % intervals of figures that count pictures, where one patient may have several of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

Rows = NDArray[np.intp]

RESAMPLES = 1000


@dataclass(frozen=True)
class Figure:
    """A value with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def bootstrap_by_patient(patients: Sequence[str], resamples: int = RESAMPLES) -> list[Rows]:
    """Seeded resamples of whole patients, each as the rows of their pictures."""
    names, owners = np.unique(np.asarray(patients), return_inverse=True)
    rows_of = [np.flatnonzero(owners == index) for index in range(len(names))]
    rng = np.random.default_rng(0)
    return [
        np.concatenate([rows_of[index] for index in rng.integers(0, len(names), len(names))]) for _ in range(resamples)
    ]


def interval(values: Iterable[float], otherwise: float) -> tuple[float, float]:
    """The middle 95 % of a figure's resampled values; those that are not defined are left out.

    Where none is defined both bounds are `otherwise`.
    """
    defined = [value for value in values if np.isfinite(value)]
    if not defined:
        return otherwise, otherwise
    low, high = np.percentile(defined, (2.5, 97.5))
    return float(low), float(high)


def widened(figure: Figure, trials: int) -> Figure:
    """A proportion's interval, widened to the exact binomial one (Clopper and Pearson, 1934).

    A bootstrap of 139 right out of 139 would claim certainty.
    """
    exact = binomtest(round(figure.value * trials), trials).proportion_ci(0.95, method="exact")
    return Figure(figure.value, min(figure.low, float(exact.low)), max(figure.high, float(exact.high)))


def share(hits: Sequence[bool], patients: Sequence[str], resamples: int = RESAMPLES) -> Figure:
    """The share of `hits` that are true, its interval by patients and exact. Needs at least one."""
    return widened(mean([float(hit) for hit in hits], patients, resamples), len(hits))


def mean(values: Sequence[float], patients: Sequence[str], resamples: int = RESAMPLES) -> Figure:
    """The mean of one value per picture, its interval by patients. Needs at least one."""
    array = np.asarray(values, np.float64)
    return resampled(lambda rows: float(array[rows].mean()), len(array), bootstrap_by_patient(patients, resamples))


def resampled(value_of: Callable[[Rows], float], count: int, draws: Iterable[Rows]) -> Figure:
    """A figure of all `count` rows, with the interval that it has over the resamples and its value lies in.

    The resampled values of a calibration error are larger, often all of them: pictures that are drawn twice look
    like a fault of calibration.
    """
    value = value_of(np.arange(count))
    low, high = interval((value_of(rows) for rows in draws), value)
    return Figure(value, min(low, value), max(high, value))
