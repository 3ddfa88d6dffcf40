"""Whether two samples of answers are spread alike: the population stability index, and what chance makes of it.

The index is the sum over bins of (now - then) * ln(now / then), shares of each sample (Lewis, An Introduction to Credit
Scoring, 1994). By custom below 0.1 is no drift and above 0.25 is much (Siddiqi, Credit Risk Scorecards, 2006). Small
samples exceed both by chance: where nothing has changed the index is about (1/n + 1/m) times a chi-squared value with
one degree of freedom less than there are bins (Yurdakul and Naranjo, J Risk Model Validation 2020;14(4):89). So an
index must pass the custom and what chance reaches once in a hundred times (once in a thousand for an alarm).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from statistics import NormalDist

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

LEAST_ANSWERS = 100
"""In either sample; before that nothing is said."""
_WATCH, _ALARM = 0.1, 0.25
_WATCH_CHANCE, _ALARM_CHANCE = 0.01, 0.001
_PSEUDO_COUNT = 0.5
"""Added to each bin, or one that is empty in one sample alone would make the index infinite."""


class Drift(TextChoices):
    """How far answers have moved."""

    TOO_FEW = "too_few", _("Too few answers to tell")
    NONE = "none", _("No drift")
    WATCH = "watch", _("Watch")
    ALARM = "alarm", _("Alarm")


@dataclass(frozen=True)
class Compared:
    """The index of two samples, None with too few answers, and what it is held against."""

    drift: Drift
    index: float | None
    watch_from: float
    alarm_from: float


def compare(then: Sequence[float], then_size: float, now: Sequence[int]) -> Compared:
    """Hold the counts of `now` against those of `then`, bin by bin.

    `then` may be of weighted answers; `then_size` is how many plain ones are as sure as they are.
    """
    now_size = sum(now)
    if min(then_size, now_size) < LEAST_ANSWERS:
        return Compared(Drift.TOO_FEW, None, _WATCH, _ALARM)
    spread = (1 / then_size + 1 / now_size, len(now) - 1)
    watch_from = max(_WATCH, spread[0] * chi_squared_above(_WATCH_CHANCE, spread[1]))
    alarm_from = max(_ALARM, spread[0] * chi_squared_above(_ALARM_CHANCE, spread[1]))
    index = stability_index(then, now)
    drift = Drift.ALARM if index >= alarm_from else Drift.WATCH if index >= watch_from else Drift.NONE
    return Compared(drift, index, watch_from, alarm_from)


def stability_index(then: Sequence[float], now: Sequence[float]) -> float:
    """The index itself, 0 where both are spread alike."""
    pairs = zip(_shares(then), _shares(now), strict=True)
    return sum((after - before) * log(after / before) for before, after in pairs)


def chi_squared_above(chance: float, freedom: int) -> float:
    """What a chi-squared value exceeds with that chance, to 1 % from six degrees of freedom on.

    Wilson and Hilferty, PNAS 1931;17:684.
    """
    z, spread = NormalDist().inv_cdf(1 - chance), 2 / (9 * freedom)
    return freedom * (1 - spread + z * sqrt(spread)) ** 3


def _shares(counts: Sequence[float]) -> list[float]:
    whole = sum(counts) + _PSEUDO_COUNT * len(counts)
    return [(count + _PSEUDO_COUNT) / whole for count in counts]
