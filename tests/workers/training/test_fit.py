"""A training run, small enough to be tested whole: fitted, broken off, resumed, packaged, served."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tests import pictures
from workers.inference.architectures import ARCHITECTURES, Architecture
from workers.inference.card import Card, check_files, read_card
from workers.inference.network import BACKBONE
from workers.inference.preprocess import PREPROCESSING_VERSION
from workers.inference.reader import Reader, Reading
from workers.training.dataset import Case, DatasetError, Part, Target, find_cases, load, split
from workers.training.batches import BalancedBatches, steps_per_epoch, teacher_of
from workers.training.fit import CHECKPOINT_NAME, _Checkpoint, fit
from workers.training.metrics import (
    accuracy,
    choose_threshold,
    fit_temperature,
    sensitivity,
    specificity,
    to_probabilities,
)
from workers.training.recipes import Recipe, Stage
from workers.training.run import Sources, train

_SIZE = 32
_RECIPE = Recipe(
    stages=(Stage(1, _SIZE), Stage(1, _SIZE)),
    input_size=_SIZE,
    batch_size=16,
    learning_rate=0.02,
    ema_momentum=0.9,
    seed=3,
    split_seed=3,
)
_ONCE = replace(_RECIPE, stages=(Stage(1, _SIZE),))


def _tiny_backbone(weights: Path | None) -> keras.Model:
    pixels = keras.Input((None, None, 3))
    features = keras.layers.Conv2D(8, 5, strides=4, padding="same", use_bias=False, name="stem")(pixels)
    features = keras.layers.BatchNormalization(name="norm")(features)
    backbone = keras.Model(pixels, keras.layers.ReLU(name="last")(features))
    if weights is not None:
        backbone.load_weights(weights)
    return backbone


_TINY = Architecture(name="tiny", build_backbone=_tiny_backbone, gate_layer="last")


def _chest(rng: np.random.Generator, target: Target) -> NDArray[np.uint8]:
    """Dark where it is normal; pneumonia is bright, the bacterial one in broad bands, the viral one in fine ones."""
    rows = np.arange(48)[:, None]
    bands = {Target.NORMAL: 0 * rows, Target.BACTERIAL: rows // 12 % 2, Target.VIRAL: rows // 3 % 2}[target]
    base = 20 if target is Target.NORMAL else 90
    return np.clip(base + bands * 130 + rng.normal(0, 12, (48, 44)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as that of the public set, with 180 patients, one in eight of them under the wrong name."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(6)
    names = {
        Target.NORMAL: "NORMAL/IM-{:04}-0001.png",
        Target.BACTERIAL: "PNEUMONIA/person{}_bacteria_1.png",
        Target.VIRAL: "PNEUMONIA/person{}_virus_1.png",
    }
    for target, name in names.items():
        for number in range(80 if target is Target.NORMAL else 50):
            path = folder / name.format(number)
            path.parent.mkdir(exist_ok=True)
            shown = Target((target + 1) % 3) if rng.random() < 1 / 8 else target
            path.write_bytes(pictures.png(_chest(rng, shown)))
    return folder


@pytest.fixture(scope="module")
def training_cases(data: Path) -> list[Case]:
    return split(find_cases(data), _RECIPE.seed)[Part.TRAIN]


@pytest.fixture(scope="module")
def steps(training_cases: list[Case]) -> int:
    return steps_per_epoch(len(training_cases), _RECIPE.batch_size)


@pytest.fixture(scope="module")
def packaged(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a whole run leaves behind."""
    out = tmp_path_factory.mktemp("model")
    train(
        sources=Sources(data),
        architecture=_TINY,
        recipe=replace(_RECIPE, stages=(Stage(6, _SIZE),)),
        out=out,
        version="0.0.1",
    )
    return out


@pytest.fixture
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARCHITECTURES, "tiny", _TINY)


class _PowerCutError(Exception):
    """Ends a run in its midst."""


# Batches


def _batches(epoch: int = 0, seed: int = 1, count: int = 90) -> BalancedBatches:
    """Normals are black, bacterial pneumonias grey, viral ones white; most pictures are bacterial."""
    targets = np.array([Target.NORMAL, *[Target.BACTERIAL] * 8, Target.VIRAL] * (count // 10), np.int64)
    levels = np.array([0, 128, 255], np.uint8)[targets]
    flat = np.ones((count, _SIZE, _SIZE), np.uint8) * levels[:, None, None]
    recipe = Recipe(stages=(Stage(1, _SIZE), Stage(1, 48)), batch_size=16, seed=seed)
    return BalancedBatches(flat, targets, recipe, epoch)


def _same(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    return np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])


def test_a_batch_is_a_function_of_seed_epoch_and_place() -> None:
    batches, others = _batches(), _batches()
    for place in (4, 0, 2):  # in any order
        assert _same(batches[place], others[place])
    assert not _same(batches[0], batches[1])
    assert not _same(batches[0], _batches(seed=2)[0])
    assert not _same(batches[0], _batches(epoch=1)[0])


def test_batches_stay_those_of_their_epoch_whatever_keras_tells_them() -> None:
    """Keras calls the end of an epoch before the first one has begun, too."""
    batches = _batches()
    batches.on_epoch_begin()
    batches.on_epoch_end()
    assert _same(batches[3], _batches()[3])


def test_batches_are_half_normal_and_a_quarter_of_each_pneumonia_whatever_the_folder_holds() -> None:
    batches = _batches(count=900)
    shares = np.mean([batches[place][1].mean(axis=0) for place in range(len(batches))], axis=0)
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.25], atol=0.05)


def test_pictures_keep_their_targets_and_come_as_the_network_takes_them() -> None:
    pixels, targets = _batches()[0]
    assert pixels.shape == (16, _SIZE, _SIZE, 1)
    assert pixels.dtype == np.float32
    assert pixels.min() >= 0
    assert pixels.max() > 1  # grey levels, not shares
    np.testing.assert_array_equal(targets.sum(axis=1), 1)
    levels = pixels.mean(axis=(1, 2, 3))
    np.testing.assert_array_equal(np.digitize(levels, [50, 205]), targets.argmax(axis=1))


def test_an_epoch_shows_about_as_many_pictures_as_there_are() -> None:
    assert [steps_per_epoch(count, 32) for count in (1, 32, 33, 4088)] == [1, 1, 2, 128]
    assert len(_batches()) == 6


# Fitting


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
            fit(training_cases, _TINY, _RECIPE, out)
    return out


@pytest.fixture
def resumed(broken_off: Path, training_cases: list[Case], tmp_path: Path, epochs: list[int]) -> keras.Model:
    shutil.copytree(broken_off, tmp_path, dirs_exist_ok=True)
    return fit(training_cases, _TINY, _RECIPE, tmp_path, resume=True)


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
    whole = fit(training_cases, _TINY, _RECIPE, tmp_path_factory.mktemp("whole"))
    for ours, theirs in zip(_weights(resumed), _weights(whole), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_without_resume_a_run_starts_anew_beside_an_old_checkpoint(
    training_cases: list[Case], tmp_path: Path, epochs: list[int]
) -> None:
    first = fit(training_cases, _TINY, _ONCE, tmp_path)
    again = fit(training_cases, _TINY, _ONCE, tmp_path)
    assert epochs == [0, 0]
    for ours, theirs in zip(_weights(again), _weights(first), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_a_finished_run_that_is_resumed_learns_nothing_more(
    training_cases: list[Case], tmp_path: Path, epochs: list[int]
) -> None:
    finished = fit(training_cases, _TINY, _ONCE, tmp_path)
    resumed = fit(training_cases, _TINY, _ONCE, tmp_path, resume=True)
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
    _tiny_backbone(None).save_weights(start)
    classifier = fit(training_cases, _TINY, _ONCE, tmp_path, backbone_weights=start)
    for weight, initial in zip(_norm(classifier), (1, 0, 0, 1), strict=True):
        np.testing.assert_array_equal(weight, initial)
    assert np.abs(classifier.get_layer("class_logits").get_weights()[1]).max() > 0  # a bias that started at 0


def test_without_starting_weights_normalisation_learns_and_is_measured_for_the_averaged_weights(
    training_cases: list[Case], tmp_path: Path
) -> None:
    classifier = fit(training_cases, _TINY, _ONCE, tmp_path)
    _, _, mean, variance = _norm(classifier)
    backbone = classifier.get_layer(BACKBONE)
    stem = keras.Model(backbone.inputs, backbone.get_layer("stem").output)
    pictures_seen = load([case for case in training_cases if case.subtype is not None], _SIZE)
    scaled = pictures_seen[..., None].repeat(3, axis=-1) / 127.5 - 1.0
    convolved = stem.predict(scaled.astype(np.float32), verbose=0)
    # Of augmented pictures, so not the same, but far from the 0 and 1 that it started with.
    assert np.corrcoef(mean, convolved.mean(axis=(0, 1, 2)))[0, 1] > 0.9
    assert np.abs(variance - 1).max() > 0.05


def test_layers_that_are_frozen_keep_their_starting_weights(training_cases: list[Case], tmp_path: Path) -> None:
    start = tmp_path / "start.weights.h5"
    backbone = _tiny_backbone(None)
    backbone.save_weights(start)
    recipe = replace(_ONCE, frozen_until="stem")
    classifier = fit(training_cases, _TINY, recipe, tmp_path, backbone_weights=start)
    (kept,) = classifier.get_layer(BACKBONE).get_layer("stem").get_weights()
    np.testing.assert_array_equal(kept, backbone.get_layer("stem").get_weights()[0])


def test_what_comes_out_is_the_moving_average_of_the_weights_and_not_the_last_ones(
    training_cases: list[Case], tmp_path: Path
) -> None:
    averaged = fit(training_cases, _TINY, replace(_ONCE, ema_momentum=0.99), tmp_path)
    last = keras.models.load_model(tmp_path / CHECKPOINT_NAME)
    ours, theirs = (model.get_layer("class_logits").get_weights()[0] for model in (averaged, last))
    assert np.abs(ours - theirs).max() > 1e-3


def test_a_recipe_says_the_size_of_each_epoch() -> None:
    recipe = Recipe(stages=(Stage(2, 96), Stage(1, 160)))
    assert recipe.epochs == 3
    assert [recipe.size_in(epoch) for epoch in range(3)] == [96, 96, 160]
    with pytest.raises(ValueError, match="only 3 epochs"):
        recipe.size_in(3)
    assert [_batches(epoch)[0][0].shape[1] for epoch in range(2)] == [_SIZE, 48]


def test_a_teacher_softens_the_targets_by_its_share() -> None:
    def teacher(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.tile(np.array([0.1, 0.2, 0.7], np.float32), (len(pixels), 1))

    hard = _batches()
    recipe = replace(hard._recipe, teacher_share=0.25)
    soft = BalancedBatches(hard._pictures, np.array([0] * 50 + [1] * 20 + [2] * 20), recipe, 0, teacher)
    _, targets = soft[0]
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(targets.max(axis=1) >= 0.75, True)
    assert set(np.round(np.unique(targets), 3)) <= {0.025, 0.05, 0.175, 0.775, 0.8, 0.925}


def test_a_teacher_answers_with_probabilities_at_its_own_size(training_cases: list[Case], tmp_path: Path) -> None:
    teacher = teacher_of(fit(training_cases, _TINY, _ONCE, tmp_path), 64)
    answers = teacher(np.full((3, _SIZE, _SIZE, 1), 20, np.float32))
    assert answers.shape == (3, 3)
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)


def test_pneumonias_of_unknown_kind_are_left_out(training_cases: list[Case], steps: int, tmp_path: Path) -> None:
    unknown = Case(tmp_path / "nowhere.png", True, "pneumonia/nowhere", None)
    fit([*training_cases, unknown], _TINY, _ONCE, tmp_path)
    assert int(keras.models.load_model(tmp_path / CHECKPOINT_NAME).optimizer.iterations) == steps


def test_where_a_kind_of_pneumonia_is_missing_altogether_it_is_said_so(
    training_cases: list[Case], tmp_path: Path
) -> None:
    cases = [case for case in training_cases if case.subtype is not Target.VIRAL]
    with pytest.raises(DatasetError, match=r"(?i)viral"):
        fit(cases, _TINY, _RECIPE, tmp_path)


# A whole run


def test_a_run_to_the_end_leaves_a_card_that_speaks_of_its_files(packaged: Path, data: Path) -> None:
    card = read_card(packaged)
    check_files(packaged, card)
    assert (card.name, card.version, card.architecture, card.input_size) == ("tiny", "0.0.1", "tiny", _SIZE)
    assert card.preprocessing_version == PREPROCESSING_VERSION
    assert card.training["recipe"]["stages"] == [{"epochs": 6, "size": _SIZE}]
    parts = split(find_cases(data), _RECIPE.seed)
    for part, cases in parts.items():
        assert card.training["split"][part]["images"] == len(cases)
    for name in ("validation", "holdout"):
        assert set(card.figures[name]) == {"accuracy", "auc", "sensitivity", "specificity", "ece"}
        assert all(set(figure) == {"value", "low", "high"} for figure in card.figures[name].values())


@pytest.fixture(params=["openvino", "tensorflow"])
def served(request: pytest.FixtureRequest, packaged: Path, _known: None) -> Reader:
    return Reader(packaged, request.param)


def _scores(reader: Reader, cases: list[Case]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    answers = reader.read([case.path.read_bytes() for case in cases])
    scores = np.array([answer.score for answer in answers if isinstance(answer, Reading)])
    assert len(scores) == len(cases)
    return np.array([case.is_pneumonia for case in cases]), scores


def test_threshold_and_temperature_are_those_of_the_validation_patients(served: Reader, data: Path) -> None:
    """Computed anew through the reader that serves: nobody else, and no other path, chose them."""
    labels, scores = _scores(served, split(find_cases(data), _RECIPE.seed)[Part.VALIDATION])
    temperature = fit_temperature(labels, scores)
    assert 0.1 < temperature < 10  # found, and not where the search ends
    assert served.card.temperature == pytest.approx(temperature, rel=0.01)
    probabilities = to_probabilities(scores, temperature)
    chosen, best = (
        sensitivity(labels, probabilities, threshold) + specificity(labels, probabilities, threshold)
        for threshold in (served.card.threshold, choose_threshold(labels, probabilities))
    )
    assert chosen == pytest.approx(best)


def test_the_figures_on_the_card_are_those_of_the_reader_that_serves(served: Reader, data: Path) -> None:
    labels, scores = _scores(served, split(find_cases(data), _RECIPE.seed)[Part.HOLDOUT])
    probabilities = to_probabilities(scores, served.card.temperature)
    measured = accuracy(labels, probabilities, served.card.threshold)
    assert measured == pytest.approx(served.card.figures["holdout"]["accuracy"]["value"])
    assert measured > 0.7  # black against bright: it has learned


def test_a_card_can_be_read_back_as_it_was_given(packaged: Path) -> None:
    card = read_card(packaged)
    assert Card.model_validate(card.model_dump(mode="json")) == card
