"""Batches: balanced, repeatable, of the size that their epoch asks for, softened by a teacher."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.workers.training.tiny import SIZE
from workers.inference.engines import RawReadings
from workers.training.augmentation import Freedom
from workers.training.batches import BalancedBatches, steps_per_epoch, teacher_of
from workers.training.dataset import Target
from workers.training.recipes import Recipe, Stage

_TARGETS = np.array([Target.NORMAL, *[Target.BACTERIAL] * 8, Target.VIRAL] * 9, np.int64)


def _batches(epoch: int = 0, seed: int = 1, count: int = 90) -> BalancedBatches:
    """Normals are black, bacterial pneumonias grey, viral ones white; most pictures are bacterial."""
    targets = np.array([Target.NORMAL, *[Target.BACTERIAL] * 8, Target.VIRAL] * (count // 10), np.int64)
    levels = np.array([0, 128, 255], np.uint8)[targets]
    flat = np.ones((count, SIZE, SIZE), np.uint8) * levels[:, None, None]
    recipe = Recipe(stages=(Stage(1, SIZE), Stage(1, 48)), batch_size=16, seed=seed)
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
    assert pixels.shape == (16, SIZE, SIZE, 1)
    assert pixels.dtype == np.float32
    assert pixels.min() >= 0
    assert pixels.max() > 1  # grey levels, not shares
    np.testing.assert_array_equal(targets.sum(axis=1), 1)
    levels = pixels.mean(axis=(1, 2, 3))
    np.testing.assert_array_equal(np.digitize(levels, [50, 205]), targets.argmax(axis=1))


def _shades(batches: BalancedBatches) -> set[int]:
    return set(batches[0][0].mean(axis=(1, 2, 3)).round().astype(int))


def test_pictures_go_as_far_from_their_files_as_the_recipe_lets_them() -> None:
    none = Freedom((1, 1), (1, 1), 0.0, (1, 1), (0, 0), (1, 1), wear=0.0, coarser=(1, 1), jpeg_quality=(100, 100))
    free = _batches()
    bound = BalancedBatches(free._pictures, _TARGETS, replace(free._recipe, freedom=none), 0)
    assert len(_shades(bound)) == 3  # the files are black, grey or white
    assert len(_shades(free)) > 6


def test_an_epoch_shows_about_as_many_pictures_as_there_are() -> None:
    assert [steps_per_epoch(count, 32) for count in (1, 32, 33, 4088)] == [1, 1, 2, 128]
    assert len(_batches()) == 6


def test_a_recipe_says_the_size_of_each_epoch() -> None:
    recipe = Recipe(stages=(Stage(2, 96), Stage(1, 160)))
    assert recipe.epochs == 3
    assert [recipe.size_in(epoch) for epoch in range(3)] == [96, 96, 160]
    with pytest.raises(ValueError, match="only 3 epochs"):
        recipe.size_in(3)
    assert [_batches(epoch)[0][0].shape[1] for epoch in range(2)] == [SIZE, 48]


def test_a_teacher_softens_the_targets_by_its_share() -> None:
    def teacher(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
        assert pictures.dtype == np.uint8
        return np.full(len(pictures), 0.8)

    hard = _batches()
    soft = BalancedBatches(hard._pictures, _TARGETS, replace(hard._recipe, teacher_share=0.5), 0, teacher)
    _, plain = hard[0]
    _, taught = soft[0]
    expected = {0: [0.6, 0.2, 0.2], 1: [0.1, 0.9, 0.0], 2: [0.1, 0.0, 0.9]}
    assert set(plain.argmax(axis=1)) == {0, 1, 2}
    for truth, target in zip(plain.argmax(axis=1), taught, strict=True):
        np.testing.assert_allclose(target, expected[int(truth)], atol=1e-6)


def test_a_teacher_looks_at_its_own_size_and_answers_with_its_temperature() -> None:
    class Engine:
        name = "scripted"

        def read(self, pictures: NDArray[np.uint8]) -> RawReadings:
            assert pictures.shape[1:] == (96, 96)
            empty = np.zeros((len(pictures), 0), np.float32)
            return RawReadings(np.full(len(pictures), 2.0, np.float32), empty, empty)

    answers = teacher_of(Engine(), 96, temperature=2.0)(np.zeros((3, SIZE, SIZE), np.uint8))
    np.testing.assert_allclose(answers, 1 / (1 + np.exp(-1.0)))
