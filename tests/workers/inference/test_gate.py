"""The gate: refuses by kind what is like a known kind of wrong picture, and by distance what is like nothing known."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from diagnoses.imaging.errors import ImageFault
from workers.inference.card import GATE_NAME, GateLimits, ModelError
from workers.inference.gate import GATE_CLASSES, Gate, GateWeights, load_gate, opinions, save_gate

_LIMITS = GateLimits(accepted_probability=0.5, distance=3.0)


def _weights() -> GateWeights:
    """Two features: the first tells inverted pictures (far right), the second counts for the distance alone."""
    kernel = np.zeros((2, len(GATE_CLASSES)), np.float32)
    kernel[0, GATE_CLASSES.index(ImageFault.INVERTED)] = 4.0
    bias = np.array([5.0, -5.0, -5.0, -5.0], np.float32)
    return GateWeights(
        mean=np.array([10.0, 0.0], np.float32),
        scale=np.array([2.0, 1.0], np.float32),
        kernel=kernel,
        bias=bias,
        axes=np.eye(2, dtype=np.float32),
        centres=np.array([[0.0, 0.0], [0.0, 6.0]], np.float32),
    )


@pytest.mark.parametrize(
    ("features", "verdict"),
    [
        pytest.param([10.0, 0.0], None, id="at the first centre"),
        pytest.param([10.0, 6.5], None, id="near the second centre"),
        pytest.param([18.0, 0.0], ImageFault.INVERTED, id="of a kind that is known to be wrong"),
        pytest.param([10.0, -5.0], ImageFault.NOT_A_CHEST_XRAY, id="like nothing that is known"),
        pytest.param([10.0, 1e6], ImageFault.NOT_A_CHEST_XRAY, id="out of this world"),
    ],
)
def test_the_gate_judges_by_kind_and_by_distance(features: list[float], verdict: ImageFault | None) -> None:
    assert Gate(_weights(), _LIMITS).judge(np.array([features], np.float32)) == [verdict]


def test_each_picture_of_a_batch_gets_its_own_verdict_in_order() -> None:
    features = np.array([[18, 0], [10, 0], [10, -5]], np.float32)
    verdicts = Gate(_weights(), _LIMITS).judge(features)
    assert verdicts == [ImageFault.INVERTED, None, ImageFault.NOT_A_CHEST_XRAY]


def test_the_limits_of_the_card_decide() -> None:
    features = np.array([[10, -2]], np.float32)
    assert Gate(_weights(), _LIMITS).judge(features) == [None]
    strict = GateLimits(accepted_probability=0.5, distance=1.0)
    assert Gate(_weights(), strict).judge(features) == [ImageFault.NOT_A_CHEST_XRAY]


def test_an_opinion_is_probabilities_and_the_distance_to_the_nearest_centre() -> None:
    (opinion,) = opinions(_weights(), np.array([[14, 6]], np.float32))
    assert opinion.probabilities.sum() == pytest.approx(1)
    assert opinion.distance == pytest.approx(np.sqrt((2**2 + 0) / 2))


def test_features_of_any_size_overflow_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (opinion,) = opinions(_weights(), np.array([[3e38, -3e38]], np.float32))
    assert np.isfinite(opinion.distance)
    assert np.isfinite(opinion.probabilities).all()


def test_a_gate_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    save_gate(_weights(), tmp_path)
    features = np.array([[12, 1], [18, 0]], np.float32)
    assert load_gate(tmp_path, _LIMITS).judge(features) == Gate(_weights(), _LIMITS).judge(features)


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x03\x04 half an archive"])
def test_a_damaged_gate_is_a_model_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / GATE_NAME).write_bytes(data)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_gate(tmp_path, _LIMITS)


def test_a_gate_is_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / GATE_NAME, mean=np.array([{"a": "program"}], dtype=object))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_gate(tmp_path, _LIMITS)
