"""From a decoded radiograph to what the network takes: one way, in training, evaluation and serving alike."""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

GreyImage: TypeAlias = NDArray[np.uint8]
"""Grey levels 0 (black) to 255 (white), shape (height, width)."""

PREPROCESSING_VERSION = "area-stretch-1"
"""Travels on the model's card and with each result. Change it whenever `preprocess` gives other numbers."""


def preprocess(image: GreyImage, size: int) -> GreyImage:
    """Stretch `image` to (size, size) grey levels 0 to 255, antialiased.

    The aspect ratio is given up, as in the training data. Area averaging is used wherever an axis shrinks: a
    plain bilinear filter skips pixels there and changes answers.
    """
    height, width = image.shape
    if height > size or width > size:
        shrunk = (min(width, size), min(height, size))
        image = np.asarray(cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA), np.uint8)
    if image.shape != (size, size):
        image = np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    return image
