"""Harmless changes of a picture: small, three, and the same each time."""

import numpy as np

from tests import pictures
from workers.inference.preprocess import preprocess
from workers.inference.stability import variants

_CHEST = preprocess(pictures.phantom(), 224)


def test_there_are_three_variants_of_the_same_shape_and_they_are_the_same_each_time() -> None:
    changed = variants(_CHEST)
    assert changed.shape == (3, 224, 224)
    assert changed.dtype == np.uint8
    np.testing.assert_array_equal(changed, variants(_CHEST))


def test_each_variant_differs_a_little_and_none_a_lot() -> None:
    for changed in variants(_CHEST).astype(int):
        difference = np.abs(changed - _CHEST).mean()
        assert 0.5 < difference < 15


def test_the_picture_moves_both_ways() -> None:
    _, forth, back = variants(_CHEST)
    np.testing.assert_array_equal(forth[4:, 4:], _CHEST[:-4, :-4])
    np.testing.assert_array_equal(back[:-4, :-4], _CHEST[4:, 4:])
