"""Shares of counted cases, with how far chance may have moved them."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

_Z_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Share:
    """`count` of `of` cases. Value and limits are 0 to 1, and None where there are no cases."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share itself."""
        return self.count / self.of if self.of else None

    @property
    def low(self) -> float | None:
        """The lower limit of its 95 % interval."""
        return wilson(self.count, self.of)[0] if self.of else None

    @property
    def high(self) -> float | None:
        """The upper limit of its 95 % interval."""
        return wilson(self.count, self.of)[1] if self.of else None


def wilson(count: int, of: int) -> tuple[float, float]:
    """The 95 % score interval of a share of at least one case, 0 to 1.

    Wilson, J Am Stat Assoc 1927;22:209. It holds for few cases and for shares near 0 and 1, too (Brown, Cai and
    DasGupta, Stat Sci 2001;16:101).
    """
    share, square = count / of, _Z_95**2
    middle = (share + square / (2 * of)) / (1 + square / of)
    reach = _Z_95 * sqrt(share * (1 - share) / of + square / (4 * of**2)) / (1 + square / of)
    # None and all are what was counted: rounding must not take them out of their own interval.
    return (0.0 if count == 0 else middle - reach), (1.0 if count == of else middle + reach)
