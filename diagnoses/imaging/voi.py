"""Values of interest: which values of a radiograph are black and which are white (DICOM PS3.3, C.11.2).

Written out here since pydicom's own `apply_voi_lut` does not say how far its output range reaches, turns a picture with
a negative rescale slope twice, and misreads tables of eight-bit entries.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

_TAIL_PERCENT = 0.1
"""Share of the darkest and of the brightest pixels that may clip where the file names no window."""

Values = NDArray[np.float32]


def to_grey(values: Values, dataset: Dataset) -> NDArray[np.uint8]:
    """Grey levels 0 (lowest of interest) to 255 (highest) for modality values of any range, of the same shape.

    The first table of the file counts, else its first window; where it names neither, its own range is used.
    """
    if dataset.get("VOILUTSequence"):
        shares = _through_table(values, dataset.VOILUTSequence[0])
    elif (window := _window(dataset)) is not None:
        shares = _through_window(values, *window, str(dataset.get("VOILUTFunction") or "LINEAR"))
    else:
        shares = _over_own_range(values)
    return np.asarray(np.clip(shares, 0, 1) * 255 + 0.5, np.uint8)


def _through_table(values: Values, table: Dataset) -> Values:
    entries, first, bits = (int(number) for number in table.LUTDescriptor)
    data = table.LUTData
    if isinstance(data, bytes):
        data = np.frombuffer(data, np.uint8 if len(data) < 2 * (entries or 65536) else np.dtype("<u2"))
    levels = np.asarray(data, np.float32) / (2**bits - 1)
    places = np.clip(np.rint(values) - first, 0, len(levels) - 1)
    return np.asarray(levels[places.astype(np.intp)], np.float32)


def _window(dataset: Dataset) -> tuple[float, float] | None:
    centre, width = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    return None if centre is None or width is None else (centre, width)


def _first(value: Any) -> float | None:
    """The first of a DICOM element's values, which may be one, several, or none."""
    if value is None or value == "":
        return None
    values = list(value) if hasattr(value, "__iter__") else [value]
    return float(values[0]) if values else None


def _through_window(values: Values, centre: float, width: float, function: str) -> Values:
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - centre) / max(width, 1e-3), -80, 80))), np.float32)
    if function == "LINEAR_EXACT":
        return (values - np.float32(centre)) / np.float32(max(width, 1e-3)) + np.float32(0.5)
    return (values - np.float32(centre - 0.5)) / np.float32(max(width - 1, 1e-3)) + np.float32(0.5)


def _over_own_range(values: Values) -> Values:
    low, high = np.percentile(values, (_TAIL_PERCENT, 100 - _TAIL_PERCENT))
    if high <= low:
        return np.zeros_like(values)
    return (values - np.float32(low)) / np.float32(high - low)
