"""Whether an answer survives what happens to pictures on their way: being saved again, being cut a little otherwise."""

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.inference.preprocess import GreyImage

_JPEG_QUALITY = 50
_SHIFT = 0.02
"""Of the picture's edge."""


def variants(picture: GreyImage) -> NDArray[np.uint8]:
    """Three harmless changes of a square picture, shape (3, size, size): saved again as JPEG, and moved both ways."""
    size = picture.shape[0]
    step = max(1, round(size * _SHIFT))
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    saved_again = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    return np.stack([saved_again, _moved(picture, step, step), _moved(picture, -step, -step)])


def _moved(picture: GreyImage, right: int, down: int) -> GreyImage:
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    size = (picture.shape[1], picture.shape[0])
    return np.asarray(cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
