"""Pictures that must not be read: spoilt out of radiographs, drawn from nothing, or collected in a folder.

A gate that has seen only whole, upright chests cannot say what a wrong picture is. About a fifth of the kinds are held
out: nothing is fitted on them, so that what is reported of them tells how the gate does on what nobody thought of.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from diagnoses.imaging.errors import ImageFault
from workers.inference.preprocess import GreyImage
from workers.training import drawn

Maker = Callable[[GreyImage, np.random.Generator], GreyImage]

_SUFFIXES = {".png", ".jpg", ".jpeg"}


@dataclass(frozen=True)
class Kind:
    """One way in which a picture is wrong."""

    fault: ImageFault
    """What the gate should say of it."""
    make: Maker
    """From a radiograph, which some kinds do not look at and none changes."""
    held_out: bool = False
    """Only ever reported on, never fitted on."""


def load_negatives(folder: Path) -> list[tuple[str, Path]]:
    """Kind and path of each PNG or JPEG in the folders of `folder`, which are named after the kinds; in order of paths.

    Raises FileNotFoundError where there is none.
    """
    found = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise FileNotFoundError(f"{folder} holds no folder with PNG or JPEG pictures")
    return [(path.parent.name, path) for path in found]


# Inverted


def _inverted(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    levels = 255.0 * (1 - np.arange(256) / 255.0) ** math.exp(rng.uniform(-0.4, 0.4))
    return levels.astype(np.uint8)[picture]


def _inverted_and_faint(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    """As a badly scanned film: no real black, no real white."""
    low, high = rng.uniform(20, 80), rng.uniform(150, 210)
    return (low + (255.0 - picture) / 255.0 * (high - low)).astype(np.uint8)


# Turned


def _turned_by_a_quarter(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    return np.ascontiguousarray(np.rot90(picture, int(rng.choice([1, 3]))))


def _upside_down(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    return np.ascontiguousarray(np.rot90(picture, 2) if rng.random() < 0.5 else picture[::-1])


def _tilted(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    """By 25 to 80 degrees, or as much past upside down."""
    height, width = picture.shape
    angle = rng.uniform(25, 80) * rng.choice([-1, 1]) + 180 * rng.integers(0, 2)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, rng.uniform(0.75, 1.2))
    border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(picture, matrix, (width, height), borderMode=border), np.uint8)


# Cut


def _cut(picture: GreyImage, rng: np.random.Generator, box: tuple[float, float, float, float]) -> GreyImage:
    """The part of `box` (left, top, width, height as shares), as large as the whole.

    Half of them are sharpened: a part of a full-size file is as sharp as a whole chest, and blur must not give it away.
    """
    height, width = picture.shape
    left, top = round(box[0] * width), round(box[1] * height)
    part = picture[top : top + max(8, round(box[3] * height)), left : left + max(8, round(box[2] * width))]
    large = cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.5:
        amount = rng.uniform(0.5, 2.0)
        large = cv2.addWeighted(large, 1 + amount, cv2.GaussianBlur(large, (0, 0), 0.008 * width), -amount, 0)
    return np.asarray(large, np.uint8)


def _one_lung(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    width, height = rng.uniform(0.25, 0.37), rng.uniform(0.7, 0.94)
    left = rng.uniform(0.04, 0.12) if rng.random() < 0.5 else 1 - width - rng.uniform(0.04, 0.12)
    return _cut(picture, rng, (left, rng.uniform(0, 1 - height), width, height))


def _lower_part(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    width, height = rng.uniform(0.75, 1.0), rng.uniform(0.22, 0.34)
    return _cut(picture, rng, (rng.uniform(0, 1 - width), 1 - height, width, height))


def _neck(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    width, height = rng.uniform(0.4, 0.8), rng.uniform(0.2, 0.33)
    return _cut(picture, rng, ((1 - width) / 2, 0.0, width, height))


def _corner(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    width, height = rng.uniform(0.3, 0.58, 2)
    left, top = rng.choice([0.0, 1 - width]), rng.choice([0.0, 1 - height])
    return _cut(picture, rng, (left, top, width, height))


def _patch(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    width, height = rng.uniform(0.15, 0.5, 2)
    return _cut(picture, rng, (rng.uniform(0, 1 - width), rng.uniform(0, 1 - height), width, height))


def _half_covered(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Nearly half of it, or more, under a shutter, a hand, a sheet of paper."""
    covered = picture.copy()
    share = rng.uniform(0.45, 0.75)
    turned = np.rot90(covered, int(rng.integers(0, 4)))  # a view: what is written to it is written to `covered`
    turned[: round(share * turned.shape[0])] = rng.choice([0, 255, int(rng.integers(0, 256))])
    return covered


# Not one radiograph


def _side_by_side(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Two films in one picture, next to each other or one above the other."""
    height, width = picture.shape
    other = np.clip(picture[:, ::-1] * rng.uniform(0.7, 1.3) + rng.uniform(-30, 30), 0, 255).astype(np.uint8)
    upright = rng.random() < 0.3
    size = (width, height // 2) if upright else (width // 2, height)
    pair = [np.asarray(cv2.resize(film, size, interpolation=cv2.INTER_AREA), np.uint8) for film in (picture, other)]
    return np.vstack(pair) if upright else np.hstack(pair)


def _shuffled(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Cut into tiles and laid anew: each part is of a radiograph, the whole is none."""
    count = int(rng.integers(3, 6))
    height, width = (edge // count for edge in picture.shape)
    tiles = [
        picture[row * height : (row + 1) * height, column * width : (column + 1) * width]
        for row in range(count)
        for column in range(count)
    ]
    order = rng.permutation(count * count).reshape(count, count)
    return np.vstack([np.hstack([tiles[place] for place in row]) for row in order])


# Too poor


def _blurred(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    sigma = rng.uniform(0.025, 0.08) * picture.shape[1]
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def _pixelated(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    edge = int(rng.integers(8, 24))
    tiny = cv2.resize(picture, (edge, edge), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(tiny, picture.shape[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)


def _overexposed(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    return np.asarray(np.clip(picture * rng.uniform(1.4, 2.5) + rng.uniform(80, 160), 0, 255), np.uint8)


def _underexposed(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    return np.asarray(np.clip(picture * rng.uniform(0.7, 1.5) - rng.uniform(130, 200), 0, 255), np.uint8)


def _faint(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Hardly any contrast left."""
    return (rng.uniform(10, 220) + picture / 255.0 * rng.uniform(4, 20)).astype(np.uint8)


def _noisy(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Drowned in noise."""
    noise = rng.normal(0, rng.uniform(90, 160), picture.shape)
    return np.clip(picture * 0.6 + 50 + noise, 0, 255).astype(np.uint8)


def _from_nothing(draw: Callable[[np.random.Generator], GreyImage]) -> Maker:
    return lambda _, rng: draw(rng)


_NO_CHEST, _POOR = ImageFault.NOT_A_CHEST_XRAY, ImageFault.TOO_LOW_QUALITY
_CROPPED = ImageFault.CROPPED_OR_ROTATED

NEGATIVE_KINDS: dict[str, Kind] = {
    "inverted": Kind(ImageFault.INVERTED, _inverted),
    "inverted_and_faint": Kind(ImageFault.INVERTED, _inverted_and_faint, held_out=True),
    "turned_by_a_quarter": Kind(_CROPPED, _turned_by_a_quarter),
    "upside_down": Kind(_CROPPED, _upside_down),
    "tilted": Kind(_CROPPED, _tilted),
    "one_lung": Kind(_CROPPED, _one_lung),
    "lower_part": Kind(_CROPPED, _lower_part),
    "neck": Kind(_CROPPED, _neck, held_out=True),
    "corner": Kind(_CROPPED, _corner),
    "patch": Kind(_CROPPED, _patch),
    "half_covered": Kind(_CROPPED, _half_covered),
    "side_by_side": Kind(_NO_CHEST, _side_by_side, held_out=True),
    "shuffled": Kind(_NO_CHEST, _shuffled),
    "blurred": Kind(_POOR, _blurred),
    "pixelated": Kind(_POOR, _pixelated, held_out=True),
    "overexposed": Kind(_POOR, _overexposed),
    "underexposed": Kind(_POOR, _underexposed),
    "faint": Kind(_POOR, _faint),
    "noisy": Kind(_POOR, _noisy),
    "constant": Kind(_POOR, _from_nothing(drawn.constant)),
    "gradient": Kind(_POOR, _from_nothing(drawn.gradient)),
    "white_noise": Kind(_NO_CHEST, _from_nothing(drawn.white_noise)),
    "salt_and_pepper": Kind(_NO_CHEST, _from_nothing(drawn.salt_and_pepper)),
    "clouds": Kind(_NO_CHEST, _from_nothing(drawn.clouds), held_out=True),
    "stripes": Kind(_NO_CHEST, _from_nothing(drawn.stripes)),
    "shapes": Kind(_NO_CHEST, _from_nothing(drawn.shapes)),
    "text_page": Kind(_NO_CHEST, _from_nothing(drawn.text_page)),
    "table": Kind(_NO_CHEST, _from_nothing(drawn.table)),
    "chart": Kind(_NO_CHEST, _from_nothing(drawn.chart)),
    "limb": Kind(_NO_CHEST, _from_nothing(drawn.limb)),
    "hand": Kind(_NO_CHEST, _from_nothing(drawn.hand), held_out=True),
    "slice_through_a_body": Kind(_NO_CHEST, _from_nothing(drawn.slice_through_a_body)),
    "ultrasound": Kind(_NO_CHEST, _from_nothing(drawn.ultrasound), held_out=True),
}
"""By name. Radiographs of about 224 x 224 pixels or more make good ones."""
