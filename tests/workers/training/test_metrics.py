"""Figures against hand-made values and scikit-learn; intervals by patient."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from workers.training.evaluation import Evaluation, figures_json
from workers.training.metrics import (
    Labels,
    Scores,
    accuracy,
    choose_threshold,
    expected_calibration_error,
    fit_temperature,
    sensitivity,
    specificity,
    summarise,
    to_probabilities,
)

_LABELS = np.array([True, True, True, True, False, False, False, False, False, False])
_PROBABILITIES = np.array([0.9, 0.8, 0.6, 0.3, 0.7, 0.6, 0.4, 0.2, 0.1, 0.0])
_PATIENTS = [f"p{number}" for number in range(10)]


def _sample(count: int, seed: int = 0) -> tuple[Labels, Scores]:
    """Labels with scores in true log-odds."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0.5, 2.0, count)
    return rng.random(count) < expit(scores), scores


def test_accuracy_sensitivity_and_specificity_are_those_counted_by_hand() -> None:
    assert accuracy(_LABELS, _PROBABILITIES, 0.6) == 0.7
    assert sensitivity(_LABELS, _PROBABILITIES, 0.6) == 0.75
    assert specificity(_LABELS, _PROBABILITIES, 0.6) == pytest.approx(4 / 6)


def test_a_probability_at_the_threshold_counts_as_pneumonia() -> None:
    at = np.array([0.6])
    assert sensitivity(np.array([True]), at, 0.6) == 1
    assert specificity(np.array([False]), at, 0.6) == 0


def test_the_figures_are_those_of_scikit_learn() -> None:
    labels, scores = _sample(400)
    probabilities = expit(scores)
    called = probabilities >= 0.4
    figures = summarise(labels, probabilities, [str(row) for row in range(400)], 0.4, resamples=20)
    assert figures["accuracy"].value == pytest.approx(accuracy_score(labels, called))
    assert figures["sensitivity"].value == pytest.approx(recall_score(labels, called))
    assert figures["specificity"].value == pytest.approx(recall_score(~labels, ~called))
    assert figures["auc"].value == pytest.approx(roc_auc_score(labels, probabilities))


def test_the_calibration_error_is_that_computed_by_hand() -> None:
    """Of 15 bins two are filled: 0.1 said and 1/2 found, 0.9 said and all found."""
    labels = np.array([False, True, True, True])
    assert expected_calibration_error(labels, np.array([0.1, 0.1, 0.9, 0.9])) == pytest.approx((2 * 0.4 + 2 * 0.1) / 4)


def test_sure_and_right_is_no_calibration_error_and_sure_and_wrong_is_all_of_it() -> None:
    probabilities = np.array([0.0, 0.0, 1.0, 1.0])
    right = np.array([False, False, True, True])
    assert expected_calibration_error(right, probabilities) == 0
    assert expected_calibration_error(~right, probabilities) == 1


# Temperature and threshold


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_found_again(temperature: float) -> None:
    labels, scores = _sample(30_000)
    assert fit_temperature(labels, scores * temperature) == pytest.approx(temperature, rel=0.05)


def test_the_temperature_lowers_the_calibration_error_of_a_model_that_is_too_sure() -> None:
    labels, scores = _sample(5000)
    too_sure = scores * 4
    temperature = fit_temperature(labels, too_sure)
    before = expected_calibration_error(labels, to_probabilities(too_sure, 1.0))
    after = expected_calibration_error(labels, to_probabilities(too_sure, temperature))
    assert after < before / 3


def test_probabilities_of_huge_scores_neither_overflow_nor_leave_their_range() -> None:
    np.testing.assert_array_equal(to_probabilities(np.array([-1e4, 0.0, 1e4]), 0.5), [0.0, 0.5, 1.0])


@pytest.mark.parametrize(
    ("normals", "pneumonias", "low", "high"),
    [
        ([0.1, 0.2], [0.4, 0.6], 0.2, 0.4),
        ([0.1, 0.2], [0.8, 0.9], 0.2, 0.8),
        ([0.7, 0.8], [0.9, 0.95], 0.8, 0.9),
    ],
)
def test_the_threshold_lies_in_the_gap_between_the_classes(
    normals: list[float], pneumonias: list[float], low: float, high: float
) -> None:
    labels = np.array([False] * len(normals) + [True] * len(pneumonias))
    threshold = choose_threshold(labels, np.array(normals + pneumonias))
    assert low < threshold < high
    assert threshold == pytest.approx((low + high) / 2)


def test_the_threshold_weighs_both_classes_alike_however_rare_one_is() -> None:
    """By accuracy alone it would be best to call all of these normal."""
    labels = np.array([False] * 96 + [True] * 4)
    probabilities = np.concatenate([np.linspace(0, 0.5, 96), [0.40, 0.42, 0.44, 0.46]])
    threshold = choose_threshold(labels, probabilities)
    assert sensitivity(labels, probabilities, threshold) == 1
    assert threshold == pytest.approx(0.4, abs=0.01)


# Intervals


def test_every_figure_lies_within_its_interval() -> None:
    figures = summarise(_LABELS, _PROBABILITIES, _PATIENTS, 0.6, 200)
    assert list(figures) == ["accuracy", "auc", "sensitivity", "specificity", "ece"]
    for name in ("accuracy", "auc", "sensitivity", "specificity"):
        figure = figures[name]
        assert 0 <= figure.low < figure.value < figure.high <= 1


def test_the_intervals_are_seeded() -> None:
    assert summarise(_LABELS, _PROBABILITIES, _PATIENTS, 0.6, 50) == summarise(
        _LABELS, _PROBABILITIES, _PATIENTS, 0.6, 50
    )


def test_two_pictures_of_a_patient_are_drawn_together() -> None:
    """A second, equal picture of each patient tells nothing new, and so must not narrow an interval."""
    labels, scores = _sample(60)
    probabilities = expit(scores)
    patients = [f"p{number:02}" for number in range(60)]
    single = summarise(labels, probabilities, patients, 0.5, 300)
    twice = np.tile(labels, 2), np.tile(probabilities, 2)
    doubled = summarise(*twice, patients * 2, 0.5, 300)
    strangers = summarise(*twice, patients + [f"{name}-again" for name in patients], 0.5, 300)
    assert (doubled["auc"].low, doubled["auc"].high) == pytest.approx((single["auc"].low, single["auc"].high))
    assert doubled["ece"].high == pytest.approx(single["ece"].high)
    width = doubled["auc"].high - doubled["auc"].low
    assert strangers["auc"].high - strangers["auc"].low < 0.85 * width


def test_all_right_out_of_a_few_does_not_claim_certainty() -> None:
    labels = np.array([True] * 10 + [False] * 10)
    figures = summarise(labels, labels.astype(float), [str(row) for row in range(20)], 0.5, 50)
    exact = binomtest(10, 10).proportion_ci(0.95, method="exact")
    for name in ("sensitivity", "specificity"):
        assert figures[name].value == figures[name].high == 1
        assert figures[name].low == pytest.approx(exact.low)


def test_the_written_figures_have_plain_keys_with_their_intervals_beside_them() -> None:
    figures = summarise(_LABELS, _PROBABILITIES, _PATIENTS, 0.6, 50)
    written = figures_json(Evaluation(10, figures, {Path("x.png"): "damaged"}), 0.6)
    names = ["accuracy", "auc", "sensitivity", "specificity", "ece"]
    assert {"n", *names, "threshold"} <= set(written)
    assert (written["n"], written["threshold"], written["unreadable"]) == (10, 0.6, 1)
    assert written["accuracy"] == 0.7
    intervals = written["intervals_95"]
    assert isinstance(intervals, dict)
    assert intervals == {name: [figures[name].low, figures[name].high] for name in names}
