"""Augmented pictures: each a function of its seed, all of them pictures of the same kind."""

import cv2
import numpy as np
import pytest

from tests import pictures
from workers.inference.preprocess import GreyImage, preprocess
from workers.training.augmentation import HARMLESS, augment

_CHEST = preprocess(pictures.phantom(), 96)


def _variant(seed: int, picture: GreyImage = _CHEST) -> GreyImage:
    return augment(picture, picture.shape[0], np.random.default_rng(seed))


def test_a_seed_gives_one_variant_and_another_seed_another() -> None:
    np.testing.assert_array_equal(_variant(1), _variant(1))
    variants = {_variant(seed).tobytes() for seed in range(20)}
    assert len(variants) == 20


def test_the_original_is_left_alone() -> None:
    original = _CHEST.copy()
    for seed in range(10):
        _variant(seed)
    np.testing.assert_array_equal(_CHEST, original)


def test_every_variant_keeps_shape_and_range() -> None:
    for seed in range(200):
        variant = _variant(seed)
        assert variant.shape == (96, 96)
        assert variant.dtype == np.uint8
        assert np.ptp(variant.astype(int)) > 10  # there is still a picture


@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white_neither_wrap_around_nor_leave_their_range(level: int) -> None:
    """A level of 250 made brighter is 255 and never 29."""
    for seed in range(50):
        variant = _variant(seed, np.full((64, 64), level, np.uint8)).astype(int)
        inner = variant[16:-16, 16:-16]  # outside may be a black margin
        assert np.abs(inner - level).max() <= 60


def test_about_half_of_the_variants_are_mirrored() -> None:
    left_bright = np.zeros((64, 64), np.uint8)
    left_bright[:, :32] = 200
    variants = [_variant(seed, left_bright).astype(float) for seed in range(300)]
    tilts = [variant[:, :32].mean() - variant[:, 32:].mean() for variant in variants]
    telling = [tilt for tilt in tilts if abs(tilt) > 20]
    assert 0.35 < np.mean([tilt < 0 for tilt in telling]) < 0.65


def test_every_variant_is_saved_again_as_jpeg_in_many_qualities(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the public set the classes differ in their JPEG quality; a network would learn that first."""
    qualities: list[int] = []
    encode = cv2.imencode

    def listen(extension: str, picture: GreyImage, options: list[int]) -> object:
        assert extension == ".jpg"
        qualities.append(options[1])
        return encode(extension, picture, options)

    monkeypatch.setattr(cv2, "imencode", listen)
    for seed in range(60):
        _variant(seed)
    assert len(qualities) >= 60
    assert min(qualities) >= 30
    assert max(qualities) <= 96
    assert len(set(qualities)) > 20


def test_a_variant_comes_in_the_size_that_is_asked_for() -> None:
    for size in (32, 96, 160):
        assert augment(_CHEST, size, np.random.default_rng(0)).shape == (size, size)


def test_a_harmless_variant_still_shows_a_whole_chest() -> None:
    """Both lungs stay in view: dark on the left and on the right of a brighter middle."""
    for seed in range(60):
        variant = augment(_CHEST, 96, np.random.default_rng(seed), HARMLESS).astype(float)
        middle = variant[30:60, 42:54].mean()
        assert variant[30:60, 16:36].min() < middle
        assert variant[30:60, 60:80].min() < middle


def test_the_same_picture_may_come_narrow_or_wide() -> None:
    """Normals of the public set are narrower; a network that could rely on that would."""
    widths = []
    stripes = np.tile(np.repeat(np.array([40, 210], np.uint8), 12), (96, 4))
    for seed in range(40):
        variant = augment(stripes, 96, np.random.default_rng(seed))
        spectrum = np.abs(np.fft.rfft(variant[40:56].astype(float).mean(axis=0) - variant.mean()))
        widths.append(int(spectrum.argmax()))
    assert len(set(widths)) > 2
