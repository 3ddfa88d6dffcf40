"""The gate is fitted on features, and its limits are those of accepted validation pictures."""

import numpy as np
import pytest
from numpy.typing import NDArray

from diagnoses.imaging.errors import ImageFault
from workers.inference.gate import GATE_CLASSES, Gate, opinions
from workers.training.gate_fit import GateExamples, choose_limits, fit_gate, join, target_of

_FEATURES = 40


def _cluster(rng: np.random.Generator, count: int, feature: int | None, target: int, kind: int) -> GateExamples:
    features = rng.normal(0, 1, (count, _FEATURES)).astype(np.float32)
    if feature is not None:
        features[:, feature] += 12
    return GateExamples(features, np.full(count, target), np.full(count, kind))


def _examples(seed: int = 0) -> GateExamples:
    """Two kinds of accepted pictures, and one cluster for each reason to refuse."""
    rng = np.random.default_rng(seed)
    return join(
        [
            _cluster(rng, 300, None, 0, 0),
            _cluster(rng, 300, 0, 0, 1),
            *(_cluster(rng, 200, target, target, -1) for target in range(1, len(GATE_CLASSES))),
        ]
    )


def _fitted() -> tuple[Gate, NDArray[np.float32]]:
    weights = fit_gate(_examples())
    fresh = _examples(seed=1)
    accepted = fresh.features[fresh.targets == 0]
    return Gate(weights, choose_limits(weights, accepted)), accepted


def test_each_kind_is_refused_for_its_own_reason_and_the_accepted_ones_pass() -> None:
    gate, accepted = _fitted()
    assert sum(verdict is not None for verdict in gate.judge(accepted)) <= 3
    fresh = _examples(seed=2)
    for target, fault in enumerate(GATE_CLASSES[1:], start=1):
        verdicts = gate.judge(fresh.features[fresh.targets == target])
        assert np.mean([verdict == fault for verdict in verdicts]) > 0.97


def test_what_is_like_nothing_known_is_refused_by_its_distance() -> None:
    gate, accepted = _fitted()
    strange = accepted[:50].copy()
    strange[:, 20:] *= 7
    assert gate.judge(strange) == [ImageFault.NOT_A_CHEST_XRAY] * 50


def test_an_accepted_picture_is_at_a_distance_of_about_one() -> None:
    weights = fit_gate(_examples())
    fresh = _examples(seed=1)
    distances = [opinion.distance for opinion in opinions(weights, fresh.features[fresh.targets == 0])]
    assert np.mean(distances) == pytest.approx(1, abs=0.2)


def test_a_fit_is_the_same_each_time() -> None:
    first, again = fit_gate(_examples()), fit_gate(_examples())
    np.testing.assert_allclose(first.kernel, again.kernel, atol=1e-6)
    np.testing.assert_allclose(np.abs(first.axes), np.abs(again.axes), atol=1e-4)


def test_low_quality_counts_as_no_chest_when_the_gate_learns() -> None:
    assert target_of(ImageFault.TOO_LOW_QUALITY) == GATE_CLASSES.index(ImageFault.NOT_A_CHEST_XRAY)
    assert target_of(ImageFault.INVERTED) == GATE_CLASSES.index(ImageFault.INVERTED)
