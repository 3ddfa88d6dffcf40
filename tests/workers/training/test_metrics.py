"""Figures against hand-made values and scikit-learn; intervals by patient."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binomtest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from workers.training.metrics import (
    Labels,
    Scores,
    accuracy,
    auc,
    average_precision,
    choose_band,
    choose_threshold,
    expected_calibration_error,
    fit_shift,
    fit_temperature,
    inside,
    sensitivity,
    specificity,
    specificity_at_sensitivity,
    summarise,
    to_probabilities,
)

_LABELS = np.array([True, True, True, True, False, False, False, False, False, False])
_PROBABILITIES = np.array([0.9, 0.8, 0.6, 0.3, 0.7, 0.6, 0.4, 0.2, 0.1, 0.0])
_PATIENTS = [f"p{number}" for number in range(10)]
_NAMES = {
    "accuracy",
    "auc",
    "average_precision",
    "sensitivity",
    "specificity",
    "specificity_at_98_sensitivity",
    "ece",
    "brier",
}
_BAND_NAMES = {"band_coverage", "accuracy_outside_band", "accuracy_inside_band"}


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
    assert figures["average_precision"].value == pytest.approx(average_precision_score(labels, probabilities))
    assert figures["brier"].value == pytest.approx(brier_score_loss(labels, probabilities))


@pytest.mark.parametrize("decimals", [1, 2, 12])
def test_curves_areas_are_those_of_scikit_learn_with_ties_and_without(decimals: int) -> None:
    labels, scores = _sample(300)
    probabilities = np.round(expit(scores), decimals)
    assert auc(labels, probabilities) == pytest.approx(roc_auc_score(labels, probabilities))
    assert average_precision(labels, probabilities) == pytest.approx(average_precision_score(labels, probabilities))


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


@pytest.mark.parametrize("shift", [-4.0, 0.0, 2.5])
def test_a_known_shift_is_found_again_whatever_the_temperature(shift: float) -> None:
    labels, scores = _sample(30_000)
    assert fit_shift(labels, (scores - shift) * 3) == pytest.approx(shift * 3, abs=0.3)


def test_scores_that_tell_all_pictures_apart_are_shifted_to_between_them() -> None:
    labels = np.array([False, False, True, True])
    assert -4 < fit_shift(labels, np.array([1.0, 2.0, 4.0, 5.0])) < -2


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
    figures = summarise(_LABELS, _PROBABILITIES, _PATIENTS, 0.6, resamples=200)
    assert set(figures) == _NAMES
    for figure in figures.values():
        assert 0 <= figure.low <= figure.value <= figure.high <= 1
        assert figure.low < figure.high


def test_a_calibration_error_lies_within_its_interval_though_resampling_makes_it_larger() -> None:
    labels, scores = _sample(300)
    patients = [f"p{number}" for number in range(300)]
    error = summarise(labels, expit(scores), patients, 0.5, resamples=300)["ece"]
    assert error.low <= error.value < error.high


def test_the_intervals_are_seeded() -> None:
    assert summarise(_LABELS, _PROBABILITIES, _PATIENTS, 0.6, resamples=50) == summarise(
        _LABELS, _PROBABILITIES, _PATIENTS, 0.6, resamples=50
    )


def test_two_pictures_of_a_patient_are_drawn_together() -> None:
    """A second, equal picture of each patient tells nothing new, and so must not narrow an interval."""
    labels, scores = _sample(60)
    probabilities = expit(scores)
    patients = [f"p{number:02}" for number in range(60)]
    single = summarise(labels, probabilities, patients, 0.5, resamples=300)
    twice = np.tile(labels, 2), np.tile(probabilities, 2)
    doubled = summarise(*twice, patients * 2, 0.5, resamples=300)
    strangers = summarise(*twice, patients + [f"{name}-again" for name in patients], 0.5, resamples=300)
    assert (doubled["auc"].low, doubled["auc"].high) == pytest.approx((single["auc"].low, single["auc"].high))
    assert doubled["ece"].high == pytest.approx(single["ece"].high)
    width = doubled["auc"].high - doubled["auc"].low
    assert strangers["auc"].high - strangers["auc"].low < 0.85 * width


def test_all_right_out_of_a_few_does_not_claim_certainty() -> None:
    labels = np.array([True] * 10 + [False] * 10)
    figures = summarise(labels, labels.astype(float), [str(row) for row in range(20)], 0.5, resamples=50)
    exact = binomtest(10, 10).proportion_ci(0.95, method="exact")
    for name in ("sensitivity", "specificity"):
        assert figures[name].value == figures[name].high == 1
        assert figures[name].low == pytest.approx(exact.low)


def test_a_proportion_of_the_band_is_over_its_own_pictures() -> None:
    """Inside [0.35, 0.65) are 0.6, 0.6 and 0.4: one right at 0.65, of three; outside are seven, one of them wrong."""
    figures = summarise(_LABELS, _PROBABILITIES, _PATIENTS, 0.65, band=(0.35, 0.65), resamples=50)
    assert set(figures) == _NAMES | _BAND_NAMES
    assert figures["band_coverage"].value == 0.7
    assert figures["accuracy_inside_band"].value == pytest.approx(2 / 3)
    assert figures["accuracy_outside_band"].value == pytest.approx(5 / 7)
    exact = binomtest(2, 3).proportion_ci(0.95, method="exact")
    assert figures["accuracy_inside_band"].low <= exact.low


def test_the_accuracy_inside_a_band_without_pictures_is_left_out() -> None:
    figures = summarise(_LABELS, _PROBABILITIES, _PATIENTS, 0.65, band=(0.64, 0.66), resamples=50)
    assert "accuracy_inside_band" not in figures
    assert figures["band_coverage"].value == 1
    assert figures["accuracy_outside_band"] == figures["accuracy"]


# Specificity where few pneumonias may be missed


@pytest.mark.parametrize("count", [7, 50, 150, 401])
def test_specificity_at_a_sensitivity_is_the_best_point_of_the_roc_curve(count: int) -> None:
    labels, scores = _sample(count, seed=count)
    probabilities = np.round(expit(scores), 2)  # with ties
    wrong, found, _ = roc_curve(labels, probabilities, drop_intermediate=False)
    expected = 1 - wrong[found >= 0.98 - 1e-12].min()
    assert specificity_at_sensitivity(labels, probabilities) == pytest.approx(expected)


def test_specificity_at_a_sensitivity_may_miss_just_as_many_as_allowed() -> None:
    """Of 150 pneumonias 147 must be found, so that the three lowest count for nothing."""
    labels = np.array([True] * 150 + [False] * 2)
    lowest = np.array([0.0, 0.0, 0.0])
    probabilities = np.concatenate([lowest, np.full(147, 0.9), [0.5, 0.95]])
    assert specificity_at_sensitivity(labels, probabilities) == 0.5


# The band


def _coverage_and_accuracy(
    labels: Labels, probabilities: Scores, threshold: float, band: tuple[float, float]
) -> tuple[float, float]:
    outside = ~inside(probabilities, band)
    return float(outside.mean()), accuracy(labels[outside], probabilities[outside], threshold)


def _brute_force_coverage(labels: Labels, probabilities: Scores, threshold: float, wanted: float, half: float) -> float:
    """The most that any band with edges anywhere can leave outside."""
    found = np.unique(probabilities)
    edges = np.concatenate([[0.0], (found[1:] + found[:-1]) / 2, [threshold - half, threshold + half, 1.0]])
    best = 0.0
    for low in edges[edges <= threshold - half]:
        for high in edges[edges >= threshold + half]:
            if (~inside(probabilities, (low, high))).any():
                covered, right = _coverage_and_accuracy(labels, probabilities, threshold, (low, high))
                best = max(best, covered if right >= wanted else 0.0)
    return best


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("wanted", [0.9, 0.97])
def test_the_band_covers_as_few_pictures_as_the_wanted_accuracy_allows(seed: int, wanted: float) -> None:
    labels, scores = _sample(60, seed)
    probabilities = expit(scores)
    threshold = choose_threshold(labels, probabilities)
    band = choose_band(labels, probabilities, threshold, wanted_accuracy=wanted)
    assert 0 <= band[0] < threshold < band[1] <= 1
    covered, right = _coverage_and_accuracy(labels, probabilities, threshold, band)
    assert right >= wanted
    assert 0 < covered == _brute_force_coverage(labels, probabilities, threshold, wanted, 0.01)


def test_of_bands_that_cover_alike_the_narrowest_is_chosen() -> None:
    """The only error is 0.7, between 0.6 and 0.8; nothing needs to lie inside below the threshold."""
    labels = np.array([False, False, True, False, True, True])
    probabilities = np.array([0.1, 0.2, 0.6, 0.7, 0.8, 0.9])
    low, high = choose_band(labels, probabilities, 0.5)
    assert [low, high] == pytest.approx([0.49, 0.75])


def test_the_band_of_classes_that_never_meet_is_as_narrow_as_it_may_be() -> None:
    labels = np.array([False] * 5 + [True] * 5)
    band = choose_band(labels, np.linspace(0, 1, 10), 0.5, half_width=0.02)
    assert list(band) == pytest.approx([0.48, 0.52])


@pytest.mark.parametrize("threshold", [1e-6, 0.005, 0.5, 0.995, 1 - 1e-6])
def test_the_threshold_always_lies_within_the_band(threshold: float) -> None:
    labels, scores = _sample(40)
    low, high = choose_band(labels, expit(scores), threshold)
    assert 0 <= low < threshold < high <= 1


@pytest.mark.parametrize("labels", [[True, False], [False, True, True], [False]])
def test_where_nothing_can_be_told_everything_lies_in_the_band(labels: list[bool]) -> None:
    """Each of these is surely wrong."""
    truth = np.array(labels)
    assert choose_band(truth, np.where(truth, 0.1, 0.9), 0.5) == (0.0, 1.0)


def test_the_band_grows_with_the_accuracy_that_is_wanted_outside() -> None:
    labels, scores = _sample(400)
    probabilities = expit(scores)
    coverage = [
        _coverage_and_accuracy(
            labels, probabilities, 0.5, choose_band(labels, probabilities, 0.5, wanted_accuracy=wanted)
        )[0]
        for wanted in (0.85, 0.9, 0.95, 0.99)
    ]
    assert coverage == sorted(coverage, reverse=True)
    assert coverage[0] > coverage[-1] + 0.2
