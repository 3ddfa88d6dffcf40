"""Small pictures for a report, as data URIs."""

import base64

import cv2
import numpy as np

from diagnoses.imaging.decode import decode
from diagnoses.imaging.heatmap import Palette, colour
from workers.inference.preprocess import GreyImage

_EDGE = 240
_JPEG_QUALITY = 85


def picture_uri(data: bytes) -> str:
    """A file's radiograph, its longer edge at most 240 pixels."""
    return _uri(_small(data))


def with_heat_uri(data: bytes, heatmap: bytes) -> str:
    """The same with an encoded heatmap laid over it."""
    small = _small(data)
    height, width = small.shape
    coloured = np.frombuffer(colour(heatmap, Palette.JET, width, height), np.uint8)
    overlay = np.asarray(cv2.imdecode(coloured, cv2.IMREAD_UNCHANGED))
    alpha = overlay[..., 3:].astype(np.float32) / 255 / 2  # half, so that the chest stays to be seen
    return _uri((small[..., None] * (1 - alpha) + overlay[..., :3] * alpha).astype(np.uint8))


def _small(data: bytes) -> GreyImage:
    pixels = decode(data).pixels
    scale = min(1.0, _EDGE / max(pixels.shape))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _uri(pixels: GreyImage) -> str:
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"
