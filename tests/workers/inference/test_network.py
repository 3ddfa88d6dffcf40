"""The attention inside the served network is Grad-CAM of the score, shown against a real gradient."""

from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from tests import pictures
from tests.conftest import SHIPPED_MODEL
from workers.inference.architectures import ARCHITECTURES
from workers.inference.card import WEIGHTS_NAME
from workers.inference.network import build_classifier, build_reader, score_of
from workers.inference.preprocess import preprocess


@cache
def _classifier() -> keras.Model:
    classifier = build_classifier(ARCHITECTURES["mobilenet_v2"])
    classifier.load_weights(SHIPPED_MODEL / WEIGHTS_NAME)
    return classifier


@cache
def _batch() -> NDArray[np.float32]:
    """Chests with little and with much in them, and one that is blank."""
    chests = [preprocess(pictures.phantom(320, 280, seed), 224) for seed in range(3)]
    cloudy = chests[0].copy()
    cloudy[100:180, 40:110] = 180
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (224, 224)).astype(np.uint8)
    return np.stack([*chests, cloudy, noise, np.zeros((224, 224), np.uint8)])[..., None].astype(np.float32)


@cache
def _answers() -> dict[str, NDArray[np.float32]]:
    answers: dict[str, NDArray[np.float32]] = build_reader(_classifier()).predict(_batch(), verbose=0)
    return answers


def _grad_cam(target: Any) -> NDArray[np.float32]:
    """Selvaraju et al., equations 1 and 2, by automatic differentiation; `target` makes a number of the score."""
    scaled = tf.constant(_batch() / 127.5 - 1.0)
    features = _classifier().get_layer("backbone")(tf.repeat(scaled, 3, axis=-1), training=False)
    with tf.GradientTape() as tape:
        tape.watch(features)
        logits = _classifier().get_layer("class_logits")(tf.reduce_mean(features, axis=(1, 2)))
        explained = target(score_of(logits))
    gradient = tape.gradient(explained, features)
    weights = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    cam: NDArray[np.float32] = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1)).numpy() * 1.0
    return cam


def test_the_attention_is_grad_cam_of_the_score() -> None:
    expected = _grad_cam(lambda score: score)
    assert expected.max() > 0.05  # there is something to compare
    np.testing.assert_allclose(_answers()["attention"], expected, atol=1e-4)


def test_the_attention_is_not_that_of_the_probability_which_fades_where_the_model_is_sure() -> None:
    of_probability = _grad_cam(tf.sigmoid)
    assert np.abs(_answers()["attention"] - of_probability).max() > 0.05


def test_the_score_is_that_of_the_network_that_was_trained() -> None:
    logits = _classifier().predict(_batch(), verbose=0)
    expected = np.log(np.exp(logits[:, 1]) + np.exp(logits[:, 2])) - logits[:, 0]
    np.testing.assert_allclose(_answers()["score"], expected, atol=1e-4)


def test_the_attention_is_a_grid_per_picture_and_never_negative() -> None:
    attention = _answers()["attention"]
    assert attention.shape == (len(_batch()), 7, 7)
    assert attention.min() == 0


def test_the_score_is_the_log_odds_of_the_two_pneumonias_together() -> None:
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.2, 0.7, 0.1], [0.9, 0.05, 0.05]], np.float32))
    np.testing.assert_allclose(np.asarray(score_of(logits)), np.log([0.5 / 0.5, 0.8 / 0.2, 0.1 / 0.9]), atol=1e-5)


def test_the_networks_that_learn_and_that_read_share_one_set_of_weights() -> None:
    """Grad-CAM costs no second backbone: only the head's copy is new."""
    reader = build_reader(_classifier())
    own = {id(weight) for weight in _classifier().get_layer("backbone").weights}
    served = {id(weight) for layer in reader.layers for weight in layer.weights}
    assert own <= served
    assert len(served - own) == 2


@pytest.mark.parametrize("training", [False, True])
def test_the_reader_does_not_drop_out(training: bool) -> None:
    """Dropout belongs to learning; a reader that kept it would answer anew each time."""
    reader = build_reader(_classifier())
    once, again = (np.asarray(reader(_batch()[:2], training=training)["score"]) for _ in range(2))
    np.testing.assert_array_equal(once, again)
