"""Learning: fitted, broken off, resumed; what comes out are averaged weights."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.workers.training.tiny import ONCE, RECIPE, SIZE, TINY, make_data, tiny_backbone
from workers.inference.network import BACKBONE
from workers.training.batches import steps_per_epoch
from workers.training.dataset import Case, DatasetError, Part, Target, find_cases, load, split
from workers.training.fit import CHECKPOINT_NAME, _Checkpoint, fit


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def training_cases(data: Path) -> list[Case]:
    return split(find_cases(data), RECIPE.split_seed)[Part.TRAIN]


@pytest.fixture(scope="module")
def steps(training_cases: list[Case]) -> int:
    return steps_per_epoch(len(training_cases), RECIPE.batch_size)


class _PowerCutError(Exception):
    """Ends a run in its midst."""


def _weights(model: keras.Model) -> list[NDArray[np.float32]]:
    return [np.asarray(weight) for weight in model.get_weights()]


@pytest.fixture(scope="module")
def broken_off(training_cases: list[Case], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run of two epochs leaves that was killed after the first."""
    out = tmp_path_factory.mktemp("broken")
    keep = _Checkpoint.on_epoch_end

    def keep_and_die(self: _Checkpoint, epoch: int, logs: dict[str, Any] | None = None) -> None:
        keep(self, epoch, logs)
        raise _PowerCutError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Checkpoint, "on_epoch_end", keep_and_die)
        with pytest.raises(_PowerCutError):
            fit(training_cases, TINY, RECIPE, out)
    return out


@pytest.fixture
def resumed(broken_off: Path, training_cases: list[Case], tmp_path: Path, epochs: list[int]) -> keras.Model:
    shutil.copytree(broken_off, tmp_path, dirs_exist_ok=True)
    return fit(training_cases, TINY, RECIPE, tmp_path, resume=True)


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The epochs, from 0, that were learned through to their end."""
    seen: list[int] = []
    keep = _Checkpoint.on_epoch_end

    def keep_and_note(self: _Checkpoint, epoch: int, logs: dict[str, Any] | None = None) -> None:
        seen.append(epoch)
        keep(self, epoch, logs)

    monkeypatch.setattr(_Checkpoint, "on_epoch_end", keep_and_note)
    return seen


def test_a_run_killed_after_an_epoch_has_kept_it(broken_off: Path, steps: int) -> None:
    checkpoint = keras.models.load_model(broken_off / CHECKPOINT_NAME)
    assert int(checkpoint.optimizer.iterations) == steps
    assert [path.name for path in broken_off.iterdir()] == [CHECKPOINT_NAME]


def test_a_run_killed_after_an_epoch_goes_on_from_the_next(resumed: keras.Model, epochs: list[int]) -> None:
    assert epochs == [1]


def test_a_run_that_was_broken_off_ends_with_the_weights_of_one_that_was_not(
    resumed: keras.Model, training_cases: list[Case], tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = fit(training_cases, TINY, RECIPE, tmp_path_factory.mktemp("whole"))
    for ours, theirs in zip(_weights(resumed), _weights(whole), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_without_resume_a_run_starts_anew_beside_an_old_checkpoint(
    training_cases: list[Case], tmp_path: Path, epochs: list[int]
) -> None:
    first = fit(training_cases, TINY, ONCE, tmp_path)
    again = fit(training_cases, TINY, ONCE, tmp_path)
    assert epochs == [0, 0]
    for ours, theirs in zip(_weights(again), _weights(first), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_a_finished_run_that_is_resumed_learns_nothing_more(
    training_cases: list[Case], tmp_path: Path, epochs: list[int]
) -> None:
    finished = fit(training_cases, TINY, ONCE, tmp_path)
    resumed = fit(training_cases, TINY, ONCE, tmp_path, resume=True)
    assert epochs == [0]
    for ours, theirs in zip(_weights(resumed), _weights(finished), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def _norm(classifier: keras.Model) -> list[NDArray[np.float32]]:
    """Gamma, beta, mean and variance."""
    weights: list[NDArray[np.float32]] = classifier.get_layer(BACKBONE).get_layer("norm").get_weights()
    return weights


def test_with_starting_weights_normalisation_keeps_its_statistics_while_the_rest_learns(
    training_cases: list[Case], tmp_path: Path
) -> None:
    start = tmp_path / "start.weights.h5"
    tiny_backbone(None).save_weights(start)
    classifier = fit(training_cases, TINY, ONCE, tmp_path, backbone_weights=start)
    for weight, initial in zip(_norm(classifier), (1, 0, 0, 1), strict=True):
        np.testing.assert_array_equal(weight, initial)
    assert np.abs(classifier.get_layer("class_logits").get_weights()[1]).max() > 0  # a bias that started at 0


def test_without_starting_weights_normalisation_learns_and_is_measured_for_the_averaged_weights(
    training_cases: list[Case], tmp_path: Path
) -> None:
    classifier = fit(training_cases, TINY, ONCE, tmp_path)
    _, _, mean, variance = _norm(classifier)
    backbone = classifier.get_layer(BACKBONE)
    stem = keras.Model(backbone.inputs, backbone.get_layer("stem").output)
    pictures_seen = load([case for case in training_cases if case.subtype is not None], SIZE)
    scaled = pictures_seen[..., None].repeat(3, axis=-1) / 127.5 - 1.0
    convolved = stem.predict(scaled.astype(np.float32), verbose=0)
    # Of augmented pictures, so not the same, but far from the 0 and 1 that it started with.
    assert np.corrcoef(mean, convolved.mean(axis=(0, 1, 2)))[0, 1] > 0.9
    assert np.abs(variance - 1).max() > 0.05


def test_layers_that_are_frozen_keep_their_starting_weights(training_cases: list[Case], tmp_path: Path) -> None:
    start = tmp_path / "start.weights.h5"
    backbone = tiny_backbone(None)
    backbone.save_weights(start)
    recipe = replace(ONCE, frozen_until="stem")
    classifier = fit(training_cases, TINY, recipe, tmp_path, backbone_weights=start)
    (kept,) = classifier.get_layer(BACKBONE).get_layer("stem").get_weights()
    np.testing.assert_array_equal(kept, backbone.get_layer("stem").get_weights()[0])


def test_what_comes_out_is_the_moving_average_of_the_weights_and_not_the_last_ones(
    training_cases: list[Case], tmp_path: Path
) -> None:
    averaged = fit(training_cases, TINY, replace(ONCE, ema_momentum=0.99), tmp_path)
    last = keras.models.load_model(tmp_path / CHECKPOINT_NAME)
    ours, theirs = (model.get_layer("class_logits").get_weights()[0] for model in (averaged, last))
    assert np.abs(ours - theirs).max() > 1e-3


def test_pneumonias_of_unknown_kind_are_left_out(training_cases: list[Case], steps: int, tmp_path: Path) -> None:
    unknown = Case(tmp_path / "nowhere.png", True, "pneumonia/nowhere", None)
    fit([*training_cases, unknown], TINY, ONCE, tmp_path)
    assert int(keras.models.load_model(tmp_path / CHECKPOINT_NAME).optimizer.iterations) == steps


def test_where_a_kind_of_pneumonia_is_missing_altogether_it_is_said_so(
    training_cases: list[Case], tmp_path: Path
) -> None:
    cases = [case for case in training_cases if case.subtype is not Target.VIRAL]
    with pytest.raises(DatasetError, match=r"(?i)viral"):
        fit(cases, TINY, RECIPE, tmp_path)
