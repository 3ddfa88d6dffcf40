"""Drawn chests with drawn opacities, and heatmaps that lie where these were drawn. No patient's picture."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from diagnoses.imaging import heatmap

WIDTH, HEIGHT = 1180, 1020
_CELLS = 7
_CHESTS = 3
_SIDES = (-1, 1)
_SOFT_ENOUGH = 8.0
"""Pixels, standard deviation: what is blurred more is blurred in a smaller picture."""

Share = NDArray[np.float32]


@dataclass(frozen=True)
class Opacity:
    """A cloud in the lung. Places and sizes are shares of the picture, 0 to 1."""

    across: float
    down: float
    wide: float = 0.085
    high: float = 0.11


PLACES = (
    Opacity(0.31, 0.62),
    Opacity(0.71, 0.62),
    Opacity(0.35, 0.33, 0.07, 0.08),
    Opacity(0.66, 0.38, 0.07, 0.09),
    Opacity(0.30, 0.48, 0.09, 0.17),
)


def draw_chest(seed: int, opacity: Opacity | None) -> NDArray[np.uint8]:
    """Grey levels 0 to 255, shape (1020, 1180). Few chests are drawn, and each picture has its own noise."""
    noise = np.random.default_rng(seed).normal(0, 7, (HEIGHT, WIDTH)).astype(np.float32)
    return np.asarray(np.clip(_chest(seed % _CHESTS, opacity) + cv2.GaussianBlur(noise, (0, 0), 1), 0, 255), np.uint8)


@cache
def _chest(seed: int, opacity: Opacity | None) -> Share:
    chance = np.random.default_rng(seed)
    body = _body(chance)
    lungs = _lungs(chance)
    picture = 20 + 135 * body - 95 * lungs * body
    picture += 48 * _bones() * (0.45 + 0.55 * (1 - lungs)) * body
    picture += 55 * _heart(chance) + 26 * _vessels(chance) * lungs
    if opacity:
        picture += 85 * _cloud(opacity, chance) * lungs
    return picture


def draw_heat(opacity: Opacity | None) -> bytes:
    """A stored heatmap that is warm where the opacity is, and empty without one."""
    attention = np.zeros((_CELLS, _CELLS), np.float32)
    if opacity:
        down, across = np.mgrid[0:_CELLS, 0:_CELLS] / (_CELLS - 1)
        distance = ((across - opacity.across) / 0.18) ** 2 + ((down - opacity.down) / 0.2) ** 2
        attention = np.asarray(3 * np.exp(-distance), np.float32)
    return heatmap.encode(attention, 0.1)


def _body(chance: np.random.Generator) -> Share:
    """Trunk, shoulders and neck, thicker in the middle."""
    trunk = _ellipse(0.5, 0.75, 0.41 + chance.uniform(-0.01, 0.01), 0.85)
    shoulders = _ellipse(0.5, 0.36, 0.47, 0.22)
    neck = _ellipse(0.5, 0.02, 0.11, 0.2)
    return _soft(np.maximum(np.maximum(trunk, shoulders), neck), 0.012) * (0.75 + 0.25 * _soft(trunk, 0.12))


def _lungs(chance: np.random.Generator) -> Share:
    lungs = np.zeros((HEIGHT, WIDTH), np.float32)
    for side in _SIDES:
        middle = 0.5 + side * 0.185
        lung = np.maximum(_ellipse(middle, 0.5, 0.135, 0.31, side * 5), _ellipse(middle, 0.62, 0.15, 0.2))
        dome = _ellipse(middle + side * 0.01, 0.93 + chance.uniform(-0.01, 0.01), 0.19, 0.19 - 0.02 * (side > 0))
        lungs = np.maximum(lungs, np.clip(lung - dome, 0, 1))
    return _soft(np.clip(lungs - 0.85 * _ellipse(0.5, 0.5, 0.055, 0.6), 0, 1), 0.012)


@cache
def _bones() -> Share:
    """Ribs, clavicles and spine."""
    bones = np.zeros((HEIGHT, WIDTH), np.float32)
    for side in _SIDES:
        for rib in range(9):
            down = 0.19 + 0.075 * rib
            centre = round((0.5 + side * 0.15) * WIDTH), round((down + 0.05) * HEIGHT)
            axes = round((0.19 + 0.007 * rib) * WIDTH), round(0.1 * HEIGHT)
            start, end = (185, 345) if side < 0 else (195, 355)
            cv2.ellipse(bones, centre, axes, side * 14, start, end, (0.55,), round(0.017 * HEIGHT))
        ends = (
            (round((0.5 + side * 0.035) * WIDTH), round(0.235 * HEIGHT)),
            (
                round((0.5 + side * 0.36) * WIDTH),
                round(0.165 * HEIGHT),
            ),
        )
        cv2.line(bones, *ends, (0.8,), round(0.024 * HEIGHT))
    spine = _soft(_ellipse(0.5, 0.5, 0.04, 0.7), 0.01)
    for joint in range(14):
        cv2.line(
            spine,
            (round(0.465 * WIDTH), round((0.06 + 0.07 * joint) * HEIGHT)),
            (round(0.535 * WIDTH), round((0.06 + 0.07 * joint) * HEIGHT)),
            (0.55,),
            6,
        )
    return _soft(np.maximum(bones, 0.9 * spine), 0.004)


def _heart(chance: np.random.Generator) -> Share:
    heart = _ellipse(0.555, 0.66 + chance.uniform(-0.01, 0.01), 0.125, 0.155, 35)
    return _soft(np.maximum(heart, 0.8 * _ellipse(0.51, 0.4, 0.05, 0.17)), 0.014)


def _vessels(chance: np.random.Generator) -> Share:
    """Branches from each hilum, thinner and fainter outwards."""
    vessels = np.zeros((HEIGHT, WIDTH), np.float32)
    for side in _SIDES:
        for angle in np.linspace(-1.3, 1.4, 11):
            at = np.array([0.5 + side * 0.07, 0.49])
            for step in range(7):
                turn = angle + chance.normal(0, 0.22)
                to = at + 0.028 * np.array([side * np.cos(turn), np.sin(turn)])
                (x, y), (x2, y2) = (
                    (at * (WIDTH, HEIGHT)).round().astype(int),
                    (to * (WIDTH, HEIGHT)).round().astype(int),
                )
                cv2.line(vessels, (x, y), (x2, y2), (1 - step / 8,), max(1, 9 - step))
                at = to
    return _soft(vessels, 0.003)


def _cloud(opacity: Opacity, chance: np.random.Generator) -> Share:
    cloud = _soft(_ellipse(opacity.across, opacity.down, opacity.wide, opacity.high), 0.035)
    grains = cv2.GaussianBlur(chance.normal(0, 1, cloud.shape).astype(np.float32), (0, 0), 0.014 * HEIGHT)
    return np.asarray(np.clip(cloud * (1 + 0.35 * grains / grains.std()), 0, 1), np.float32)


def _ellipse(across: float, down: float, wide: float, high: float, angle: float = 0) -> Share:
    drawing = np.zeros((HEIGHT, WIDTH), np.float32)
    centre = round(across * WIDTH), round(down * HEIGHT)
    cv2.ellipse(drawing, centre, (round(wide * WIDTH), round(high * HEIGHT)), angle, 0, 360, (1.0,), -1)
    return drawing


def _soft(drawing: Share, by: float) -> Share:
    """The drawing blurred. What is very soft has no detail: it is blurred small, and so quickly."""
    sigma = by * HEIGHT
    share = min(1.0, _SOFT_ENOUGH / sigma)
    small = cv2.resize(drawing, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), sigma * share)
    return np.asarray(cv2.resize(blurred, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.float32)
