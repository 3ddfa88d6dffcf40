"""What a training picture goes through, so that the network learns the lungs and not the file.

Every picture is cropped, shifted in tone, and saved again as JPEG: in the public set the classes differ in their
JPEG quality, which a network learns gladly when it may.
"""

import math

import cv2
import numpy as np

from workers.inference.preprocess import GreyImage

_AREA = (0.08, 1.0)
_ASPECT = (3 / 4, 4 / 3)
_ROTATION_DEGREES = 10.0
_CONTRAST = (0.7, 1.3)
_BRIGHTNESS = (-35.0, 35.0)
_GAMMA = (0.75, 1.33)
_JPEG_QUALITY = (50, 95)
_COARSER = (0.6, 1.0)


def augment(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    """A random variant of a square picture, of the same shape and range (0 to 255)."""
    picture = _crop(_rotate(picture, rng), rng)
    if rng.random() < 0.5:
        picture = np.ascontiguousarray(picture[:, ::-1])
    if rng.random() < 0.3:
        picture = _coarsen(picture, rng)
    return _save_again(_tone(picture, rng), rng)


def _rotate(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    size = picture.shape[0]
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(-_ROTATION_DEGREES, _ROTATION_DEGREES), 1.0)
    return np.asarray(cv2.warpAffine(picture, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _crop(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Inception-style crop (Szegedy et al., 2015, arXiv:1409.4842), brought back to the picture's size."""
    size = picture.shape[0]
    area = rng.uniform(*_AREA) * size * size
    aspect = math.exp(rng.uniform(math.log(_ASPECT[0]), math.log(_ASPECT[1])))
    width = min(size, round(math.sqrt(area * aspect)))
    height = min(size, round(math.sqrt(area / aspect)))
    left = int(rng.integers(0, size - width + 1))
    top = int(rng.integers(0, size - height + 1))
    cut = picture[top : top + height, left : left + width]
    return np.asarray(cv2.resize(cut, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def _coarsen(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    size = picture.shape[0]
    small = max(1, round(size * rng.uniform(*_COARSER)))
    shrunk = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def _tone(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    levels = np.arange(256, dtype=np.float32)
    levels = 255.0 * (levels / 255.0) ** np.float32(math.exp(rng.uniform(*np.log(_GAMMA))))
    mean = float(picture.mean())
    levels = (levels - mean) * rng.uniform(*_CONTRAST) + mean + rng.uniform(*_BRIGHTNESS)
    return np.clip(levels, 0, 255).astype(np.uint8)[picture]


def _save_again(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    quality = int(rng.integers(_JPEG_QUALITY[0], _JPEG_QUALITY[1] + 1))
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
