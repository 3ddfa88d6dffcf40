"""The attention inside the served network is Grad-CAM of the score, shown against a real gradient."""

from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from tests import pictures
from tests.conftest import SHIPPED_MODEL
from workers.inference.architectures import ARCHITECTURES
from workers.inference.card import WEIGHTS_NAME, ModelError
from workers.inference.network import build_classifier, build_reader, load_weights, save_weights, score_of, shift_scores
from workers.inference.preprocess import preprocess


@cache
def _classifier() -> keras.Model:
    classifier = build_classifier(ARCHITECTURES["mobilenet_v2"])
    load_weights(classifier, SHIPPED_MODEL / WEIGHTS_NAME)
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


def _reader(*, mirrored: bool = False) -> keras.Model:
    return build_reader(_classifier(), ARCHITECTURES["mobilenet_v2"].gate_layer, 224, mirrored=mirrored)


@cache
def _answers() -> dict[str, NDArray[np.float32]]:
    answers: dict[str, NDArray[np.float32]] = _reader().predict(_batch(), verbose=0)
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


def test_scores_that_are_shifted_leave_attention_and_features_alone() -> None:
    shifted = build_classifier(ARCHITECTURES["mobilenet_v2"])
    shifted.set_weights(_classifier().get_weights())
    shift_scores(shifted, by=1.5)
    reader = build_reader(shifted, ARCHITECTURES["mobilenet_v2"].gate_layer, 224, mirrored=False)
    answers = reader.predict(_batch(), verbose=0)
    np.testing.assert_allclose(answers["score"], _answers()["score"] + 1.5, atol=1e-4)
    for name in ("attention", "features"):
        np.testing.assert_allclose(answers[name], _answers()[name], atol=1e-5)


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
    reader = _reader()
    own = {id(weight) for weight in _classifier().get_layer("backbone").weights}
    served = {id(weight) for layer in reader.layers for weight in layer.weights}
    assert own <= served
    assert len(served - own) == 2


@pytest.mark.parametrize("training", [False, True])
def test_the_reader_does_not_drop_out(training: bool) -> None:
    """Dropout belongs to learning; a reader that kept it would answer anew each time."""
    reader = _reader()
    once, again = (np.asarray(reader(_batch()[:2], training=training)["score"]) for _ in range(2))
    np.testing.assert_array_equal(once, again)


def test_a_mirrored_reader_gives_the_mean_of_a_picture_and_its_mirror_image() -> None:
    both = _reader(mirrored=True).predict(_batch(), verbose=0)
    flipped = _reader().predict(_batch()[:, :, ::-1], verbose=0)
    np.testing.assert_allclose(both["score"], (_answers()["score"] + flipped["score"]) / 2, atol=1e-4)
    assert np.abs(flipped["score"] - _answers()["score"]).max() > 1e-2  # there is something to average
    np.testing.assert_allclose(both["features"], _answers()["features"], atol=1e-4)


def test_a_mirrored_readers_attention_lies_where_the_heat_is_in_the_picture_itself() -> None:
    one_sided = _batch()[3:4]
    straight = _reader(mirrored=True).predict(one_sided, verbose=0)["attention"][0]
    turned = _reader(mirrored=True).predict(one_sided[:, :, ::-1], verbose=0)["attention"][0]
    np.testing.assert_allclose(straight, turned[:, ::-1], atol=1e-4)


def test_features_say_roughly_where_things_are_and_what_is_there_at_all() -> None:
    """Four by four windows of the middle layer, then the mean of the last."""
    features = _answers()["features"]
    assert features.shape == (len(_batch()), 16 * 96 + 1280)
    changed = _batch()[:1].copy()
    changed[:, :40, :40] = 255 - changed[:, :40, :40]
    others = _reader().predict(changed, verbose=0)["features"]
    moved = np.abs(others[0] - features[0])[: 16 * 96].reshape(4, 4, 96).mean(axis=2)
    assert moved[0, 0] == moved.max()
    assert moved[0, 0] > 3 * moved[3, 3]


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_architecture_gives_a_score_a_map_and_features_at_more_than_one_size(name: str) -> None:
    architecture = ARCHITECTURES[name]
    classifier = build_classifier(architecture)
    for size in (96, 128):
        pixels = np.full((2, size, size, 1), 90, np.float32)
        answers = build_reader(classifier, architecture.gate_layer, size, mirrored=False)(pixels)
        assert answers["score"].shape == (2,)
        assert len(answers["attention"].shape) == 3
        assert answers["features"].shape[0] == 2


def test_stored_weights_are_taken_over_by_the_same_network(tmp_path: Path) -> None:
    save_weights(_classifier(), tmp_path / "weights.npz")
    other = build_classifier(ARCHITECTURES["mobilenet_v2"])
    load_weights(other, tmp_path / "weights.npz")
    for ours, theirs in zip(other.get_weights(), _classifier().get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)  # the shipped ones are float16 already


def test_weights_of_another_network_are_a_model_error(tmp_path: Path) -> None:
    save_weights(_classifier(), tmp_path / "weights.npz")
    with pytest.raises(ModelError, match="not the weights of this network"):
        load_weights(build_classifier(ARCHITECTURES["xception"]), tmp_path / "weights.npz")
