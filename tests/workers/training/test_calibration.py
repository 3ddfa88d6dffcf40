"""What goes onto the card is chosen on validation pictures and on their changed copies."""

import numpy as np
import pytest
from scipy.special import expit, logit

from workers.training.calibration import Scored, calibrate

_COUNT = 4000
_TRUE_TEMPERATURE = 2.5


def _scored(shake: float = 0.4, attention: float = 1.0, border: float = 0.0) -> Scored:
    """Scores that are log-odds times the true temperature; changes move each by about `shake`."""
    rng = np.random.default_rng(0)
    log_odds = rng.normal(0, 3, _COUNT)
    labels = rng.random(_COUNT) < expit(log_odds)
    scores = log_odds * _TRUE_TEMPERATURE
    changed = scores + rng.normal(0, shake, (3, _COUNT))
    heat = np.zeros((_COUNT, 7, 7), np.float32)
    heat[:, 3, 3] = attention * (1 - border)
    heat[:, 0, 0] = attention * border
    return Scored(labels, scores, changed, heat)


def test_the_temperature_is_the_one_that_makes_probabilities_true() -> None:
    assert calibrate(_scored(shake=0.01)).temperature == pytest.approx(_TRUE_TEMPERATURE, rel=0.06)


def test_the_bands_lie_around_the_threshold_and_the_unsteady_one_around_the_other() -> None:
    chosen = calibrate(_scored())
    assert chosen.unsteady.low <= chosen.band.low < chosen.threshold < chosen.band.high <= chosen.unsteady.high


def test_outside_the_band_answers_are_right_as_often_as_wanted() -> None:
    scored = _scored(shake=0.01)
    chosen = calibrate(scored)
    probabilities = expit(scored.scores / chosen.temperature)
    outside = (probabilities < chosen.band.low) | (probabilities >= chosen.band.high)
    right = (probabilities >= chosen.threshold) == scored.labels
    assert right[outside].mean() > 0.985
    assert right[~outside].mean() < 0.95  # there is a reason for the band


def test_answers_are_checked_as_far_as_changes_move_a_score() -> None:
    calm, shaken = calibrate(_scored(shake=0.1)), calibrate(_scored(shake=20.0))
    edge = logit(shaken.threshold) * shaken.temperature
    reach = edge - logit(shaken.unsteady.low) * shaken.temperature
    assert reach > 40  # 99 in 100 changes of a standard deviation of 20 are within 51
    assert shaken.unsteady.high - shaken.unsteady.low > calm.unsteady.high - calm.unsteady.low


def test_changed_copies_take_part_in_the_choice() -> None:
    scored = _scored(shake=0.01)
    pushed = Scored(scored.labels, scored.scores, scored.changed + 15.0, scored.attention)
    assert calibrate(pushed).threshold > calibrate(scored).threshold + 0.05


def test_heatmap_limits_are_those_of_the_maps_of_what_is_called_pneumonia() -> None:
    limits = calibrate(_scored(attention=2.0, border=0.25)).heatmap
    assert limits.floor == pytest.approx(1.5)
    assert limits.border_share == pytest.approx(0.25)


def test_where_no_heat_lies_at_the_border_its_limit_is_still_one_that_a_card_can_hold() -> None:
    assert calibrate(_scored(border=0.0)).heatmap.border_share == pytest.approx(0.1)
