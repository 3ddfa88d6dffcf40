"""Negatives: each kind makes what it says, from its seed alone, and leaves the radiograph as it was."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from diagnoses.imaging.decode import Radiograph
from diagnoses.imaging.errors import GATE_FAULTS, ImageFault
from tests import pictures
from workers.inference.preprocess import GreyImage, preprocess
from workers.inference.quality import judge_quality
from workers.training.negatives import NEGATIVE_KINDS, load_negatives

_CHEST = preprocess(pictures.phantom(), 224)
_ALL = pytest.mark.parametrize("name", NEGATIVE_KINDS)


def _made(name: str, seed: int = 0, picture: GreyImage = _CHEST) -> GreyImage:
    return NEGATIVE_KINDS[name].make(picture, np.random.default_rng(seed))


def _likeness(one: GreyImage, other: GreyImage) -> float:
    """Correlation, -1 to 1."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


# Every kind


@_ALL
def test_a_negative_is_a_grey_picture_that_can_be_prepared(name: str) -> None:
    for seed in range(10):
        made = _made(name, seed)
        assert made.dtype == np.uint8
        assert preprocess(made, 224).shape == (224, 224)


@_ALL
def test_a_seed_gives_one_negative_and_other_seeds_give_others(name: str) -> None:
    np.testing.assert_array_equal(_made(name, 3), _made(name, 3))
    assert len({_made(name, seed).tobytes() for seed in range(12)}) > 1


@_ALL
def test_the_radiograph_is_left_alone(name: str) -> None:
    original = _CHEST.copy()
    for seed in range(10):
        made = _made(name, seed, original)
        made[...] = 0  # nor does the negative share its memory
    np.testing.assert_array_equal(original, _CHEST)


@_ALL
def test_a_negative_is_no_longer_the_radiograph(name: str) -> None:
    for seed in range(10):
        made = preprocess(_made(name, seed), 224)
        assert np.abs(made.astype(int) - _CHEST).mean() > 4


@pytest.mark.parametrize(("width", "height"), [(224, 224), (160, 130), (500, 700)])
@_ALL
def test_a_radiograph_of_any_shape_will_do(name: str, width: int, height: int) -> None:
    assert _made(name, 1, pictures.phantom(width, height)).ndim == 2


def test_every_picture_like_fault_has_a_kind_to_learn_from() -> None:
    learned = {kind.fault for kind in NEGATIVE_KINDS.values() if not kind.held_out}
    # A view and an age cannot be seen in pixels.
    assert learned == GATE_FAULTS - {ImageFault.NOT_FRONTAL, ImageFault.OUTSIDE_AGE}


def test_about_a_fifth_of_the_kinds_is_held_out_of_each_reason_some() -> None:
    held_out = [kind for kind in NEGATIVE_KINDS.values() if kind.held_out]
    assert 0.15 < len(held_out) / len(NEGATIVE_KINDS) < 0.25
    assert {kind.fault for kind in held_out} == {kind.fault for kind in NEGATIVE_KINDS.values()}


# Some of them


@pytest.mark.parametrize("name", ["inverted", "inverted_and_faint"])
def test_an_inverted_radiograph_is_bright_where_it_was_dark(name: str) -> None:
    for seed in range(10):
        assert _likeness(_made(name, seed), _CHEST) < -0.9


def test_a_quarter_turn_goes_either_way_and_can_be_undone() -> None:
    turns = {
        next(turn for turn in (1, 3) if np.array_equal(np.rot90(_made("turned_by_a_quarter", seed), -turn), _CHEST))
        for seed in range(20)
    }
    assert turns == {1, 3}


def test_upside_down_has_the_last_row_first() -> None:
    for seed in range(10):
        first = _made("upside_down", seed)[0]
        assert any(np.array_equal(first, row) for row in (_CHEST[-1], _CHEST[-1, ::-1]))


def test_a_tilted_radiograph_is_far_from_upright() -> None:
    """A bar that stood upright leans by at least twenty degrees afterwards."""
    bar = np.zeros((224, 224), np.uint8)
    bar[:, 106:118] = 255
    for seed in range(20):
        points = np.argwhere(_made("tilted", seed, bar) > 128)[:, ::-1].astype(np.float32)
        direction_x, direction_y, *_ = cv2.fitLine(points, cv2.DIST_L2, 0, 0.01, 0.01).ravel()
        assert abs(np.degrees(np.arctan2(direction_x, direction_y)) % 180 - 90) < 70


@pytest.mark.parametrize("name", ["one_lung", "lower_part", "neck", "corner", "patch"])
def test_a_cut_keeps_about_a_third_of_the_picture_at_most(name: str) -> None:
    """In a picture whose levels tell where each pixel was, as many levels are left as is left of the picture."""
    rows = np.tile(np.linspace(0, 255, 224).astype(np.uint8)[:, None], (1, 224))
    for seed in range(20):
        shares = []
        for picture in (rows, np.ascontiguousarray(rows.T)):
            made = _made(name, seed, picture).astype(float)
            low, high = np.percentile(made, (4, 96))  # past the overshoot of sharpening
            shares.append((high - low) / 0.92 / 255)
        assert shares[0] * shares[1] < 0.37


def test_half_covered_hides_nearly_half_or_more() -> None:
    for seed in range(20):
        _, counts = np.unique(_made("half_covered", seed), return_counts=True)
        assert counts.max() / _CHEST.size > 0.44


def test_side_by_side_shows_the_radiograph_twice() -> None:
    for seed in range(10):
        made = _made("side_by_side", seed)
        halves = (made[:, :112], made[:, 112:][:, ::-1]), (made[:112], made[112:][:, ::-1])
        assert max(_likeness(*pair) for pair in halves) > 0.9


def test_shuffled_tiles_keep_the_grey_levels_and_lose_the_chest() -> None:
    for seed in range(10):
        made = _made("shuffled", seed)
        assert abs(float(made.mean()) - float(_CHEST.mean())) < 3
        assert _likeness(preprocess(made, 224), _CHEST) < 0.7


@pytest.mark.parametrize("name", ["constant", "faint", "blurred", "overexposed"])
def test_what_is_plainly_too_poor_is_refused_by_the_rules_alone(name: str) -> None:
    for seed in range(20):
        made = _made(name, seed)
        assert judge_quality(Radiograph(made), preprocess(made, 224)) == [ImageFault.TOO_LOW_QUALITY]


# Collected ones


def _touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_collected_negatives_come_with_the_name_of_their_folder_in_order(tmp_path: Path) -> None:
    photo, page = _touch(tmp_path / "photo" / "b.JPG"), _touch(tmp_path / "document" / "a.png")
    for name in ("SOURCES.md", "photo/notes.txt"):
        _touch(tmp_path / name)
    assert load_negatives(tmp_path) == [("document", page), ("photo", photo)]


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_folder_without_pictures_is_said_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="holds no folder with PNG or JPEG pictures"):
        load_negatives(tmp_path / name)
