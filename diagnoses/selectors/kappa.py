"""Agreement beyond chance: Cohen's kappa. Pure arithmetic over counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

_Z = 1.959963984540054
"""Standard deviations to either side that hold 95 % of a normal distribution."""


@dataclass(frozen=True)
class Kappa:
    """How well two raters agree on the same cases.

    `raw` is the share (0 to 1) on which they say the same; `value` is kappa, 1 for perfect agreement and 0 for what
    chance alone would give, with its 95 % interval. What cannot be worked out from these cases is None.
    """

    cases: int
    raw: float | None
    value: float | None
    low: float | None
    high: float | None


def cohen_kappa(table: Sequence[Sequence[int]]) -> Kappa:
    """Kappa of a square table of counts: a row for each answer of the one rater, a column for each of the other.

    The interval is kappa plus and minus 1.96 of its large-sample standard error by Fleiss, Cohen and Everitt
    (Psychological Bulletin 1969;72:323), cut at -1 and 1. Where both always say one and the same there is no kappa;
    where that error is zero, as with few cases that all agree, there is no interval, which would pretend to be sure.
    """
    cases = sum(map(sum, table))
    if not cases:
        return Kappa(0, None, None, None, None)
    share = [[count / cases for count in row] for row in table]
    observed = sum(share[k][k] for k in range(len(share)))
    rows, columns = [sum(row) for row in share], [sum(column) for column in zip(*share, strict=True)]
    expected = sum(row * column for row, column in zip(rows, columns, strict=True))
    if expected >= 1:
        return Kappa(cases, observed, None, None, None)
    value = (observed - expected) / (1 - expected)
    reach = _Z * sqrt(_variance(share, rows, columns, observed, expected) / cases)
    if reach < 1e-9:
        return Kappa(cases, observed, value, None, None)
    return Kappa(cases, observed, value, max(-1.0, value - reach), min(1.0, value + reach))


def _variance(
    share: list[list[float]], rows: list[float], columns: list[float], observed: float, expected: float
) -> float:
    """Of one case; never below zero, whatever was rounded."""
    size = range(len(share))
    same = sum(share[k][k] * ((1 - expected) - (rows[k] + columns[k]) * (1 - observed)) ** 2 for k in size)
    other = sum(share[i][j] * (columns[i] + rows[j]) ** 2 for i in size for j in size if i != j)
    rest = (observed * expected - 2 * expected + observed) ** 2
    return max(0.0, same + (1 - observed) ** 2 * other - rest) / (1 - expected) ** 4
