"""A network that is folded and rounded gives the answers that it gave before, and loses nothing when it is stored."""

from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from workers.inference.architectures import ARCHITECTURES
from workers.inference.network import BACKBONE, build_classifier, load_weights, save_weights
from workers.training.folding import fold_and_round


def _classifier(name: str) -> keras.Model:
    keras.utils.set_random_seed(1)
    classifier = build_classifier(ARCHITECTURES[name])
    rng = np.random.default_rng(0)
    for layer in classifier.get_layer(BACKBONE).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            shape = gamma.shape
            layer.set_weights(
                [
                    gamma * rng.uniform(0.8, 1.2, shape),
                    beta + rng.normal(0, 0.1, shape),
                    mean + rng.normal(0, 0.1, shape),
                    variance * rng.uniform(0.7, 1.3, shape),
                ]
            )
    return classifier


def _answers(classifier: keras.Model) -> NDArray[np.float32]:
    pixels = np.random.default_rng(1).uniform(0, 255, (4, 96, 96, 1)).astype(np.float32)
    return np.asarray(classifier(pixels, training=False))


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_folding_changes_no_answer_and_leaves_normalisation_nothing_but_a_shift(name: str) -> None:
    classifier = _classifier(name)
    before = _answers(classifier)
    fold_and_round(classifier)
    scale = max(1.0, float(np.abs(before).max()))
    np.testing.assert_allclose(_answers(classifier), before, atol=0.02 * scale)
    for layer in classifier.get_layer(BACKBONE).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, _, mean, variance = layer.get_weights()
            assert (gamma == 1).all()
            assert (mean == 0).all()
            np.testing.assert_allclose(variance, 1 - layer.epsilon, atol=1e-6)


def test_every_weight_survives_being_stored(tmp_path: Path) -> None:
    classifier = _classifier("mobilenet_v2")
    fold_and_round(classifier)
    before = classifier.get_weights()
    save_weights(classifier, tmp_path / "weights.npz")
    again = build_classifier(ARCHITECTURES["mobilenet_v2"])
    load_weights(again, tmp_path / "weights.npz")
    for old, new in zip(before, again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
