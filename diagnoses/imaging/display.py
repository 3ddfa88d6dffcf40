"""A picture for the screen, drawn anew: a browser never gets a sender's bytes."""

import cv2

from diagnoses.imaging.decode import decode

MAX_EDGE = 2048
"""Pixels; larger pictures are shrunk to it for display."""
_JPEG_QUALITY = 90


def display_jpeg(data: bytes) -> bytes:
    """A grey JPEG of a PNG, JPEG or DICOM file, at most 2048 pixels on its longer edge. Raises ImageError."""
    pixels = decode(data).pixels
    scale = MAX_EDGE / max(pixels.shape)
    if scale < 1:
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()
