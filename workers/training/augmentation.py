"""What a training picture goes through, so that the network learns the lungs and not the file.

Every picture is cropped, shifted in tone, and saved again as JPEG: in the public set the classes differ in their
JPEG quality, which a network learns gladly when it may.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from workers.inference.preprocess import GreyImage

_MARGIN = 0.1
_COARSER_CHANCE = 0.3
_BLUR_SIGMA = (0.3, 1.0)
_NOISE_SIGMA = (1.0, 5.0)


@dataclass(frozen=True)
class Freedom:
    """How far a variant may go from its picture."""

    area: tuple[float, float]
    """Share of the picture that is kept."""
    aspect: tuple[float, float]
    rotation_degrees: float
    contrast: tuple[float, float]
    brightness: tuple[float, float]
    """Grey levels."""
    gamma: tuple[float, float]
    wear: float
    """The chance of each thing that scanners and archives do beyond a coarser grid and one more JPEG."""
    coarser: tuple[float, float] = (0.6, 1.0)
    """How much of the detail is left where the grid is made coarser, as a share of the edge."""
    jpeg_quality: tuple[int, int] = (50, 95)


FREE = Freedom((0.08, 1.0), (0.75, 1.33), 10.0, (0.7, 1.3), (-35.0, 35.0), (0.75, 1.33), wear=0.0)
"""To learn a diagnosis from: part of a lung must be enough."""
WORN = Freedom(
    (0.1, 1.0),
    (0.65, 1.54),
    10.0,
    (0.7, 1.3),
    (-35.0, 35.0),
    (0.67, 1.5),
    0.2,
    coarser=(0.5, 1.0),
    jpeg_quality=(40, 96),
)
"""To learn it from files that went through many hands: steadier, and a little less sure of pneumonia."""
HARMLESS = Freedom((0.75, 1.0), (0.85, 1.18), 8.0, (0.75, 1.25), (-25.0, 25.0), (0.75, 1.33), wear=0.2)
"""Still a whole chest: what a gate must let through."""


def augment(picture: GreyImage, size: int, rng: np.random.Generator, freedom: Freedom = FREE) -> GreyImage:
    """A random variant of a picture, shape (size, size), grey levels 0 to 255."""
    if rng.random() < freedom.wear:
        picture = _frame(picture, rng)
    picture = _crop(_rotate(picture, freedom, rng), size, freedom, rng)
    if rng.random() < 0.5:
        picture = np.ascontiguousarray(picture[:, ::-1])
    return _degrade(_tone(picture, freedom, rng), freedom, rng)


def _frame(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Black margins, as collimation and viewers leave them."""
    top, bottom, left, right = (int(m) for m in rng.uniform(0, _MARGIN, 4) * picture.shape[0])
    return np.asarray(cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=0), np.uint8)


def _rotate(picture: GreyImage, freedom: Freedom, rng: np.random.Generator) -> GreyImage:
    height, width = picture.shape
    angle = rng.uniform(-freedom.rotation_degrees, freedom.rotation_degrees)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    return np.asarray(cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _crop(picture: GreyImage, size: int, freedom: Freedom, rng: np.random.Generator) -> GreyImage:
    """Inception-style crop (Szegedy et al., 2015, arXiv:1409.4842), brought to the wanted size."""
    full_height, full_width = picture.shape
    area = rng.uniform(*freedom.area) * full_height * full_width
    aspect = math.exp(rng.uniform(*np.log(freedom.aspect)))
    width = min(full_width, round(math.sqrt(area * aspect)))
    height = min(full_height, round(math.sqrt(area / aspect)))
    left = int(rng.integers(0, full_width - width + 1))
    top = int(rng.integers(0, full_height - height + 1))
    cut = picture[top : top + height, left : left + width]
    shrinks = width > size or height > size
    return _resized(cut, size, size, cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _tone(picture: GreyImage, freedom: Freedom, rng: np.random.Generator) -> GreyImage:
    levels = np.arange(256, dtype=np.float32)
    levels = 255.0 * (levels / 255.0) ** np.float32(math.exp(rng.uniform(*np.log(freedom.gamma))))
    mean = float(picture.mean())
    levels = (levels - mean) * rng.uniform(*freedom.contrast) + mean + rng.uniform(*freedom.brightness)
    return np.clip(levels, 0, 255).astype(np.uint8)[picture]


def _degrade(picture: GreyImage, freedom: Freedom, rng: np.random.Generator) -> GreyImage:
    """What scanners, archives and mail do to a file: coarser, softer, sharper, noisier, and always saved again."""
    if rng.random() < _COARSER_CHANCE:
        picture = _coarsen(picture, freedom, rng)
    if rng.random() < freedom.wear:
        picture = _soften_or_sharpen(picture, rng)
    if rng.random() < freedom.wear:
        noise = rng.normal(0.0, rng.uniform(*_NOISE_SIGMA), picture.shape)
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    return _save_again(picture, freedom, rng)


def _coarsen(picture: GreyImage, freedom: Freedom, rng: np.random.Generator) -> GreyImage:
    height, width = picture.shape
    scale = rng.uniform(*freedom.coarser)
    small = _resized(picture, max(1, round(width * scale)), max(1, round(height * scale)), cv2.INTER_AREA)
    return _resized(small, width, height, cv2.INTER_LINEAR)


def _soften_or_sharpen(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    soft = cv2.GaussianBlur(picture, (0, 0), rng.uniform(*_BLUR_SIGMA))
    if rng.random() < 0.5:
        return np.asarray(soft, np.uint8)
    amount = rng.uniform(0.3, 1.0)
    return np.asarray(cv2.addWeighted(picture, 1 + amount, soft, -amount, 0), np.uint8)


def _save_again(picture: GreyImage, freedom: Freedom, rng: np.random.Generator) -> GreyImage:
    quality = int(rng.integers(freedom.jpeg_quality[0], freedom.jpeg_quality[1] + 1))
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def _resized(picture: GreyImage, width: int, height: int, interpolation: int) -> GreyImage:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=interpolation), np.uint8)
