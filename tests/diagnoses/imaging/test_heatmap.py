"""The heatmap's colours and places, looked at with Pillow: OpenCV, which writes them, would swap them back."""

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diagnoses.imaging.heatmap import Palette, colour, colour_bar, encode

_FLOOR = 0.1


def _decoded(png: bytes, mode: str) -> NDArray[np.int64]:
    with Image.open(BytesIO(png)) as picture:
        assert picture.mode == mode
        return np.asarray(picture).astype(np.int64)


def _attention(*hot: tuple[int, int], shape: tuple[int, int] = (7, 7)) -> NDArray[np.float32]:
    attention = np.zeros(shape, np.float32)
    for cell in hot:
        attention[cell] = 1.0
    return attention


def _overlay(
    attention: NDArray[np.float32], palette: Palette = Palette.JET, width: int = 224, height: int = 224
) -> NDArray[np.int64]:
    return _decoded(colour(encode(attention, _FLOOR), palette, width, height), "RGBA")


# The stored map


def test_the_stored_map_is_brightest_where_the_attention_is_highest() -> None:
    attention = np.arange(49, dtype=np.float32).reshape(7, 7)
    stored = _decoded(encode(attention, _FLOOR), "L")
    assert stored.shape == (7, 7)
    assert stored[6, 6] == 255
    assert stored[0, 0] == 0
    np.testing.assert_array_equal(stored, np.rint(attention / 48 * 255))


def test_attention_below_the_floor_stays_dim() -> None:
    weak = _attention((3, 3)) * np.float32(0.02)
    assert _decoded(encode(weak, floor=0.1), "L").max() == 51
    assert _decoded(encode(weak, floor=0.01), "L").max() == 255


@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_an_empty_map_stays_black_and_is_shown_fully_transparent(floor: float) -> None:
    empty = encode(np.zeros((7, 7), np.float32), floor)
    assert _decoded(empty, "L").max() == 0
    for palette in Palette:
        assert _decoded(colour(empty, palette, 64, 48), "RGBA")[..., 3].max() == 0


# The coloured map


def test_in_jet_the_hottest_cell_is_red_and_opaque_and_the_cold_ones_are_blue_and_see_through() -> None:
    overlay = _overlay(_attention((3, 3)))
    red, green, blue, alpha = overlay[112, 112]
    assert red >= 128
    assert red > green
    assert red > blue
    assert blue == 0
    assert alpha == 255
    red, _, blue, alpha = overlay[5, 5]
    assert blue > red
    assert alpha == 0


def test_in_viridis_the_hottest_cell_is_yellow_and_the_cold_ones_are_purple() -> None:
    overlay = _overlay(_attention((3, 3)), Palette.VIRIDIS)
    red, green, blue, alpha = overlay[112, 112]
    assert min(red, green) > 200
    assert blue < 80
    assert alpha == 255
    red, green, blue, alpha = overlay[5, 5]
    assert blue > green
    assert red > green
    assert alpha == 0


@pytest.mark.parametrize(("width", "height"), [(224, 224), (300, 140), (90, 210)])
@pytest.mark.parametrize("cell", [(0, 0), (0, 6), (6, 0), (6, 6), (1, 5), (5, 2)])
def test_heat_stays_where_it_was_found_whatever_the_pictures_proportions(
    cell: tuple[int, int], width: int, height: int
) -> None:
    overlay = _overlay(_attention(cell), width=width, height=height)
    assert overlay.shape == (height, width, 4)
    rows, columns = np.nonzero(overlay[..., 3] > 200)
    assert rows.mean() / height == pytest.approx((cell[0] + 0.5) / 7, abs=0.05)
    assert columns.mean() / width == pytest.approx((cell[1] + 0.5) / 7, abs=0.05)


def test_a_map_that_is_not_square_keeps_rows_and_columns_apart() -> None:
    overlay = _overlay(_attention((0, 9), shape=(4, 10)), width=200, height=80)
    rows, columns = np.nonzero(overlay[..., 3] > 200)
    assert rows.max() < 30
    assert columns.min() > 170


def test_weak_attention_never_covers_the_picture_in_full_heat() -> None:
    overlay = _overlay(_attention((3, 3)) * np.float32(_FLOOR / 4))
    assert 0 < overlay[..., 3].max() < 160
    red, _, blue, _ = overlay[112, 112]
    assert blue > red


def test_hotter_is_never_more_transparent() -> None:
    slope = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (8, 1))
    alpha = _overlay(slope, width=64, height=8)[4, :, 3]
    assert (np.diff(alpha) >= 0).all()
    assert alpha[0] == 0
    assert alpha[-1] == 255


@pytest.mark.parametrize("palette", list(Palette))
def test_the_colour_bar_runs_from_cold_to_hot_in_the_colours_of_the_map(palette: Palette) -> None:
    bar = _decoded(colour_bar(palette), "RGB")
    assert bar.shape == (1, 256, 3)
    cold, hot = bar[0, 0], bar[0, 255]
    np.testing.assert_array_equal(cold, _overlay(np.zeros((7, 7), np.float32), palette)[0, 0, :3])
    np.testing.assert_array_equal(hot, _overlay(np.ones((7, 7), np.float32), palette)[0, 0, :3])
    assert int(hot[0]) - hot[2] > int(cold[0]) - cold[2]  # from blue or black to red or yellow
    assert hot[0] > cold[0]  # red comes


def test_stored_bytes_that_are_no_picture_are_an_error() -> None:
    with pytest.raises(ValueError, match="no picture"):
        colour(b"not a picture", Palette.JET, 10, 10)
