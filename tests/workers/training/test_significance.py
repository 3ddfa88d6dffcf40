"""DeLong against its own definition and published values, McNemar against scipy."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from workers.training.metrics import Labels, Scores
from workers.training.significance import delong_auc, delong_covariance, delong_test, mcnemar


def _two_readers(count: int, seed: int, decimals: int = 1) -> tuple[Labels, Scores, Scores]:
    """Correlated, with ties; the first sees more."""
    rng = np.random.default_rng(seed)
    labels = rng.random(count) < 0.4
    shared = rng.normal(0, 1, count)
    first = labels * 1.5 + shared + rng.normal(0, 0.5, count)
    second = labels * 0.7 + shared + rng.normal(0, 0.5, count)
    return labels, np.round(first, decimals), np.round(second, decimals)


def _brute_force(labels: Labels, readers: list[Scores]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """DeLong's definition, pair by pair (their equations 3 to 6)."""
    above, below = [], []
    for scores in readers:
        pairs = scores[labels][:, None], scores[~labels][None, :]
        wins = (pairs[0] > pairs[1]) + 0.5 * (pairs[0] == pairs[1])
        above.append(wins.mean(axis=1))
        below.append(wins.mean(axis=0))
    covariance = np.cov(above) / labels.sum() + np.cov(below) / (~labels).sum()
    return np.mean(above, axis=1), covariance


@pytest.mark.parametrize("seed", range(5))
def test_delong_by_midranks_is_delong_pair_by_pair(seed: int) -> None:
    labels, first, second = _two_readers(61, seed)
    values, covariance = delong_covariance(labels, [first, second])
    expected, expected_covariance = _brute_force(labels, [first, second])
    np.testing.assert_allclose(values, expected, atol=1e-12)
    np.testing.assert_allclose(covariance, expected_covariance, atol=1e-12)


def test_delong_of_a_tiny_case_is_that_computed_by_hand() -> None:
    """Positives 3, 1; negatives 2, 0. Shares: 1 and 1/2; 1/2 and 1. Variances 1/8 each, by two pictures each: 1/8."""
    labels = np.array([True, True, False, False])
    values, covariance = delong_covariance(labels, [np.array([3.0, 1.0, 2.0, 0.0])])
    assert values[0] == 0.75
    assert covariance[0, 0] == pytest.approx(1 / 8)


def test_the_interval_is_the_normal_one_around_the_auc_within_its_range() -> None:
    labels, first, _ = _two_readers(200, 1)
    figure = delong_auc(labels, first)
    error = np.sqrt(_brute_force(labels, [first, first])[1][0, 0])
    assert figure.low == pytest.approx(figure.value - norm.ppf(0.975) * error)
    assert figure.high == pytest.approx(min(1, figure.value + norm.ppf(0.975) * error))
    nearly = delong_auc(np.array([True] * 3 + [False] * 3), np.array([9.0, 8.0, 3.0, 4.0, 1.0, 0.0]))
    assert nearly.low < nearly.value < nearly.high == 1


def test_the_paired_test_is_that_of_the_difference_and_its_variance() -> None:
    labels, first, second = _two_readers(150, 2)
    test = delong_test(labels, first, second)
    values, covariance = _brute_force(labels, [first, second])
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert test.difference.value == pytest.approx(values[1] - values[0])
    assert test.p == pytest.approx(2 * norm.sf(abs(values[1] - values[0]) / error))
    assert test.p < 0.05
    assert test.difference.high < 0


def test_the_paired_test_has_two_equal_sides() -> None:
    labels, first, second = _two_readers(80, 3)
    one, other = delong_test(labels, first, second), delong_test(labels, second, first)
    assert one.p == pytest.approx(other.p)
    assert one.difference.value == pytest.approx(-other.difference.value)


def test_readers_that_do_not_differ_are_rarely_called_different() -> None:
    p = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        labels = rng.random(100) < 0.5
        shared = labels + rng.normal(0, 1, 100)
        p.append(delong_test(labels, shared + rng.normal(0, 1, 100), shared + rng.normal(0, 1, 100)).p)
    assert 0.01 <= np.mean(np.array(p) < 0.05) <= 0.1


def test_a_reader_against_itself_does_not_differ() -> None:
    labels, first, _ = _two_readers(50, 4)
    test = delong_test(labels, first, first.copy())
    assert (test.difference.value, test.p) == (0, 1)


def test_perfect_against_useless_differs_for_certain() -> None:
    labels = np.array([True, True, False, False])
    test = delong_test(labels, np.zeros(4), labels.astype(float))
    assert (test.difference.value, test.p) == (0.5, 0)


def test_one_picture_of_a_class_has_no_variance_to_speak_of() -> None:
    with pytest.raises(ValueError, match="two pictures of each class"):
        delong_covariance(np.array([True, False, False]), [np.zeros(3)])


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (1, 0), (3, 9), (10, 10), (0, 12)])
def test_mcnemar_is_the_exact_binomial_test_of_what_only_one_got_right(only_first: int, only_second: int) -> None:
    first = np.array([True] * 5 + [True] * only_first + [False] * only_second + [False] * 4)
    second = np.array([True] * 5 + [False] * only_first + [True] * only_second + [False] * 4)
    test = mcnemar(first, second)
    assert (test.only_first, test.only_second) == (only_first, only_second)
    both = only_first + only_second
    assert test.p == pytest.approx(binomtest(only_second, both).pvalue if both else 1.0)


def test_mcnemar_of_a_known_table() -> None:
    """Five against none: 2 * 0.5^5."""
    assert mcnemar(np.ones(5, np.bool_), np.zeros(5, np.bool_)).p == pytest.approx(0.0625)
