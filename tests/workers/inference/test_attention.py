"""Where the heat of a map lies."""

import numpy as np
import pytest

from workers.inference.attention import border_share


def test_heat_in_the_middle_is_not_at_the_border() -> None:
    heat = np.zeros((7, 7), np.float32)
    heat[3, 3] = 2.0
    assert border_share(heat) == 0


@pytest.mark.parametrize("place", [(0, 0), (0, 3), (6, 6), (3, 6)])
def test_heat_at_an_edge_or_in_a_corner_is_at_the_border(place: tuple[int, int]) -> None:
    heat = np.zeros((7, 7), np.float32)
    heat[place] = 0.1
    assert border_share(heat) == pytest.approx(1)


def test_the_share_is_that_of_the_heat_and_not_of_the_cells() -> None:
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0], heat[1, 1] = 1.0, 3.0
    assert border_share(heat) == pytest.approx(0.25)


def test_an_empty_map_has_no_heat_at_the_border() -> None:
    assert border_share(np.zeros((7, 7), np.float32)) == 0
