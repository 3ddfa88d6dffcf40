"""A picture at its full resolution, drawn anew without loss."""

from dataclasses import dataclass

import cv2

from diagnoses.imaging.decode import decode


@dataclass(frozen=True)
class DrawnPicture:
    """A grey PNG, and its size in pixels."""

    png: bytes
    width: int
    height: int


def draw(data: bytes) -> DrawnPicture:
    """What a PNG, JPEG or DICOM file shows, as the product decodes it. Raises ImageError."""
    pixels = decode(data).pixels
    _, encoded = cv2.imencode(".png", pixels)
    height, width = pixels.shape
    return DrawnPicture(encoded.tobytes(), width, height)
