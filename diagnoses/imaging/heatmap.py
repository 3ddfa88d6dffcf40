"""The heatmap: a small grey map in storage, coloured when it is shown."""

from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

_OPAQUE_FROM = 0.5
"""Heat from which the colours cover the picture fully; below it they fade out, so that cold stays see-through."""


class Palette(StrEnum):
    """The colour scales that a reader may choose, each from cold to hot.

    Equal steps of the first look equal to the eye, so it is what the pages start with.
    """

    INFERNO = "inferno"
    JET = "jet"
    VIRIDIS = "viridis"


_COLORMAPS = {
    Palette.INFERNO: cv2.COLORMAP_INFERNO,
    Palette.JET: cv2.COLORMAP_JET,
    Palette.VIRIDIS: cv2.COLORMAP_VIRIDIS,
}


def encode(attention: NDArray[np.float32], floor: float) -> bytes:
    """The map as a grey PNG of its own size, 255 where the attention is highest.

    `attention` is in log-odds per cell, shape (rows, columns), 0 or more. A map whose peak is below `floor` is
    scaled by the floor instead, so that weak attention stays dark and an empty map stays black.
    """
    full = max(float(attention.max(initial=0.0)), floor)
    levels = np.rint(np.clip(attention / full, 0, 1) * 255) if full > 0 else np.zeros_like(attention)
    return _png(levels.astype(np.uint8))


def colour(encoded: bytes, palette: Palette, width: int, height: int) -> bytes:
    """An encoded map as an RGBA PNG of width x height pixels, to lay over the picture."""
    cells = _cells(encoded)
    heat = np.clip(cv2.resize(cells.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC), 0, 255)
    # OpenCV's colours are in the order blue, green, red, and so is what its PNG writer takes.
    coloured = cv2.applyColorMap(heat.astype(np.uint8), _COLORMAPS[palette])
    alpha = np.clip(heat / (255 * _OPAQUE_FROM), 0, 1) * 255
    return _png(np.dstack([coloured, alpha.astype(np.uint8)]))


def grey(encoded: bytes) -> bytes:
    """An encoded map as it is, a grey PNG of few cells, drawn anew. Raises ValueError where it is no picture."""
    return _png(_cells(encoded))


def colour_bar(palette: Palette) -> bytes:
    """The scale as a PNG, 256 x 1 pixels, cold on the left."""
    return _png(cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None, :], _COLORMAPS[palette]))


def _cells(encoded: bytes) -> NDArray[np.uint8]:
    cells = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE) if encoded else None
    if cells is None:
        raise ValueError("the stored heatmap is no picture")
    return np.asarray(cells, np.uint8)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    _, data = cv2.imencode(".png", pixels)
    return data.tobytes()
