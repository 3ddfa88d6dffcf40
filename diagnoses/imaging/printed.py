"""A picture for paper: the radiograph, and the same with its heatmap, drawn from one decoding."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from diagnoses.imaging import heatmap
from diagnoses.imaging.decode import decode
from diagnoses.imaging.heatmap import Palette

MAX_EDGE = 1200
"""Pixels; on half the width of a page that is finer than printers print."""
_HEAT_EDGE = 448
_OPACITY = 0.5
_JPEG_QUALITY = 85


@dataclass(frozen=True)
class Printed:
    """JPEGs of one size; `heated` is empty without a heatmap. Width and height are in pixels."""

    plain: bytes
    heated: bytes
    width: int
    height: int


def printed(data: bytes, encoded_heatmap: bytes = b"") -> Printed:
    """Draw a PNG, JPEG or DICOM file. Raises ImageError, and ValueError for a heatmap that is no picture."""
    pixels = decode(data).pixels
    scale = MAX_EDGE / max(pixels.shape)
    if scale < 1:
        pixels = cv2.resize(pixels, _size_of(pixels, scale), interpolation=cv2.INTER_AREA)
    heated = _jpeg(_with_heat(pixels, encoded_heatmap)) if encoded_heatmap else b""
    return Printed(_jpeg(pixels), heated, width=pixels.shape[1], height=pixels.shape[0])


def _with_heat(pixels: NDArray[np.uint8], encoded: bytes) -> NDArray[Any]:
    """As the page lays them over each other. Colours are smooth, so they are made small and stretched."""
    small = heatmap.colour(encoded, Palette.INFERNO, *_size_of(pixels, _HEAT_EDGE / max(pixels.shape)))
    colours = cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_UNCHANGED)
    assert colours is not None  # noqa: S101 - it was encoded a line above
    layer = cv2.resize(colours, _size_of(pixels, 1), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    share = layer[..., 3:] * (_OPACITY / 255)
    return np.asarray(pixels[..., None] * (1 - share) + layer[..., :3] * share + 0.5, np.uint8)


def _size_of(pixels: NDArray[np.uint8], scale: float) -> tuple[int, int]:
    height, width = pixels.shape
    return max(1, round(width * scale)), max(1, round(height * scale))


def _jpeg(pixels: NDArray[Any]) -> bytes:
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes()
