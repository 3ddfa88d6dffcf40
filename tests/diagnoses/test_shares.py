"""Wilson's interval against what others computed."""

import pytest

from diagnoses.selectors.shares import Share, wilson


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    # Newcombe, Stat Med 1998;17:857, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_that_of_the_literature(count: int, of: int, low: float, high: float) -> None:
    assert wilson(count, of) == pytest.approx((low, high), abs=5e-5)


def test_none_and_all_of_them_reach_their_own_ends() -> None:
    assert wilson(0, 1)[0] == 0
    assert wilson(1, 1)[1] == 1
    assert 0.2 < wilson(1, 1)[0] < 0.21


def test_a_share_of_nothing_has_no_value() -> None:
    nothing = Share(0, 0)
    assert (nothing.value, nothing.low, nothing.high) == (None, None, None)
