"""Drawn chests with drawn opacities, and heatmaps that lie where these were drawn. No patient's picture."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from diagnoses.imaging import heatmap
from diagnoses.imaging.phantom import draw_phantom

WIDTH, HEIGHT = 1180, 1020
_CELLS = 7


@dataclass(frozen=True)
class Opacity:
    """A cloud in the lung. Places and sizes are shares of the picture, 0 to 1."""

    across: float
    down: float
    wide: float = 0.11
    high: float = 0.15


PLACES = (
    Opacity(0.30, 0.64),
    Opacity(0.70, 0.66),
    Opacity(0.31, 0.34, 0.09, 0.11),
    Opacity(0.69, 0.36, 0.09, 0.12),
    Opacity(0.29, 0.50, 0.13, 0.28),
)


def draw_chest(seed: int, opacity: Opacity | None) -> NDArray[np.uint8]:
    """Grey levels 0 to 255, shape (1020, 1180)."""
    chest = draw_phantom(WIDTH, HEIGHT, seed)
    if opacity is None:
        return chest
    cloud = np.zeros(chest.shape, np.float32)
    centre = round(opacity.across * WIDTH), round(opacity.down * HEIGHT)
    axes = round(opacity.wide * WIDTH), round(opacity.high * HEIGHT)
    cv2.ellipse(cloud, centre, axes, 0, 0, 360, (0.75,), -1)
    share = cv2.GaussianBlur(cloud, (0, 0), 0.03 * HEIGHT)
    grains = np.random.default_rng(seed).normal(0, 1, chest.shape).astype(np.float32)
    level = 165 + 140 * cv2.GaussianBlur(grains, (0, 0), 0.015 * HEIGHT)
    return np.asarray(np.clip(chest * (1 - share) + level * share, 0, 255), np.uint8)


def draw_heat(opacity: Opacity | None) -> bytes:
    """A stored heatmap that is warm where the opacity is, and empty without one."""
    attention = np.zeros((_CELLS, _CELLS), np.float32)
    if opacity:
        down, across = np.mgrid[0:_CELLS, 0:_CELLS] / (_CELLS - 1)
        distance = ((across - opacity.across) / 0.18) ** 2 + ((down - opacity.down) / 0.2) ** 2
        attention = np.asarray(3 * np.exp(-distance), np.float32)
    return heatmap.encode(attention, 0.1)
