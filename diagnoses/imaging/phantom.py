"""A drawn chest, to try the product with where no patient's picture belongs. The gate accepts it on purpose."""

import cv2
import numpy as np
from numpy.typing import NDArray


def draw_phantom(width: int = 320, height: int = 280, seed: int = 0) -> NDArray[np.uint8]:
    """Dark lungs, spine, heart and ribs, blurred, with some noise; grey levels 0 to 255, shape (height, width)."""
    picture = np.full((height, width), 150, np.uint8)
    middle, unit = height // 2, min(width, height) / 100
    cv2.rectangle(picture, (round(width * 0.46), 0), (round(width * 0.54), height), (200,), -1)
    for centre in (0.3, 0.7):
        axes = (round(width * 0.15), round(height * 0.36))
        cv2.ellipse(picture, (round(width * centre), middle), axes, 0, 0, 360, (55,), -1)
        for rib in range(7):
            place = (round(width * centre), round(height * (0.2 + 0.1 * rib)))
            cv2.ellipse(picture, place, (axes[0], round(5 * unit)), 0, 180, 360, (100,), max(1, round(2 * unit)))
    heart = (round(width * 0.56), round(height * 0.62))
    cv2.ellipse(picture, heart, (round(width * 0.13), round(height * 0.17)), 35, 0, 360, (170,), -1)
    soft = cv2.GaussianBlur(picture, (0, 0), 1.2 * unit)
    noise = np.random.default_rng(seed).normal(0, 5, picture.shape)
    return np.asarray(np.clip(soft + noise, 0, 255), np.uint8)


def sample_png() -> bytes:
    """The same as a PNG of an X-ray's size, with words in a corner that say that it is nobody's."""
    picture = draw_phantom(1024, 896)
    cv2.putText(picture, "SAMPLE, no patient", (16, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (235,), 2, cv2.LINE_AA)
    return bytes(cv2.imencode(".png", picture)[1].tobytes())
