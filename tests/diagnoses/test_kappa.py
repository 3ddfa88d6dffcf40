"""Cohen's kappa against published examples and scikit-learn."""

import random

import pytest
from sklearn.metrics import cohen_kappa_score

from diagnoses.selectors.kappa import cohen_kappa


@pytest.mark.parametrize(
    ("table", "value", "low", "high"),
    [
        # SAS, PROC FREQ, as statsmodels' tests of inter_rater quote it.
        ([[0, 4, 1], [0, 8, 0], [0, 1, 5]], 0.4842, 0.2137, 0.7547),
        # SAS, as J. Uebersax quotes it (john-uebersax.com/stat/saskappa.htm).
        ([[0, 0, 0], [5, 16, 3], [8, 12, 28]], 0.3333, 0.1738, 0.4929),
        # The documentation of R's statpsych, ci.kappa(.05, 31, 12, 4, 58): value and standard error.
        ([[31, 12], [4, 58]], 0.6756757, 0.5317210, 0.8196303),
    ],
)
def test_kappa_and_its_interval_are_those_of_published_examples(
    table: list[list[int]], value: float, low: float, high: float
) -> None:
    kappa = cohen_kappa(table)
    assert kappa.value == pytest.approx(value, abs=5e-5)
    assert [kappa.low, kappa.high] == pytest.approx([low, high], abs=5e-5)


def test_kappa_is_that_of_scikit_learn() -> None:
    chance = random.Random(3)
    for _ in range(50):
        table = [[chance.randrange(20) for _ in range(3)] for _ in range(3)]
        pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(table[i][j])]
        expected = cohen_kappa_score([i for i, _ in pairs], [j for _, j in pairs])
        assert cohen_kappa(table).value == pytest.approx(expected)


def test_perfect_agreement_is_one_and_that_of_chance_is_none() -> None:
    perfect, chance = cohen_kappa([[5, 0], [0, 9]]), cohen_kappa([[4, 4], [4, 4]])
    assert (perfect.raw, perfect.value, perfect.low, perfect.high) == (1, 1, None, None)
    assert (chance.raw, chance.value) == (0.5, 0)


def test_where_both_always_say_one_and_the_same_there_is_no_kappa() -> None:
    kappa = cohen_kappa([[7, 0], [0, 0]])
    assert (kappa.cases, kappa.raw, kappa.value) == (7, 1, None)


def test_of_no_cases_nothing_is_said() -> None:
    kappa = cohen_kappa([[0, 0], [0, 0]])
    assert (kappa.cases, kappa.raw, kappa.value, kappa.low) == (0, None, None, None)


def test_the_interval_stays_where_a_kappa_can_be() -> None:
    kappa = cohen_kappa([[3, 0], [1, 2]])
    assert kappa.high == 1
    assert cohen_kappa([[0, 3], [2, 1]]).low == -1
