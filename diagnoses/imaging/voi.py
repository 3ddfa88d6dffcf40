"""Values of interest: which values of a radiograph are black and which are white (DICOM PS3.3, C.11.2).

Written out here since pydicom's own `apply_voi_lut` does not say how far its output range reaches, turns a picture with
a negative rescale slope twice, and misreads tables of eight-bit entries.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

_TAIL_PERCENT = 0.1
"""Share of the darkest and of the brightest pixels that may clip where the file names no window."""
_NARROWEST = 1e-3
"""Width below which a window is as good as a step."""

Values = NDArray[np.float32]


class Window(NamedTuple):
    """A window as a file names it: in modality values, with the words that go with it."""

    centre: float
    width: float
    name: str = ""


def to_grey(values: Values, dataset: Dataset) -> NDArray[np.uint8]:
    """Grey levels 0 (lowest of interest) to 255 (highest) for modality values of any range, of the same shape.

    The first table of the file counts, else its first window; where it names neither, its own range is used.
    """
    if dataset.get("VOILUTSequence"):
        shares = _through_table(values, dataset.VOILUTSequence[0])
    elif windows := windows_of(dataset):
        shares = _through_window(values, windows[0], function_of(dataset))
    else:
        shares = _over_own_range(values)
    return np.asarray(np.clip(shares, 0, 1) * 255 + 0.5, np.uint8)


def windows_of(dataset: Dataset) -> list[Window]:
    """The windows that a file names, the one that counts first."""
    centres, widths = _all(dataset.get("WindowCenter")), _all(dataset.get("WindowWidth"))
    names = [str(name).strip() for name in _all(dataset.get("WindowCenterWidthExplanation"))]
    names += [""] * len(centres)
    return [
        Window(float(centre), float(width), name) for centre, width, name in zip(centres, widths, names, strict=False)
    ]


def function_of(dataset: Dataset) -> str:
    """How a window's values go from black to white: LINEAR, LINEAR_EXACT or SIGMOID."""
    return str(dataset.get("VOILUTFunction") or "LINEAR")


def bounds_of(window: Window, function: str) -> tuple[float, float]:
    """The values that a window makes black and white; of a sigmoid, those between which it is steep."""
    if function in {"LINEAR_EXACT", "SIGMOID"}:
        middle, width = window.centre, max(window.width, _NARROWEST)
    else:
        middle, width = window.centre - 0.5, max(window.width - 1, _NARROWEST)
    return middle - width / 2, middle + width / 2


def own_range(values: NDArray[Any]) -> tuple[float, float]:
    """The range of a picture's own values without its odd pixels."""
    low, high = np.percentile(values, (_TAIL_PERCENT, 100 - _TAIL_PERCENT))
    return float(low), float(high)


def table_of(table: Dataset) -> tuple[Values, int]:
    """The shares of white (0 to 1) that a table holds, and the value that its first entry is for."""
    entries, first, bits = (int(number) for number in table.LUTDescriptor)
    data = table.LUTData
    if isinstance(data, bytes):
        data = np.frombuffer(data, np.uint8 if len(data) < 2 * (entries or 65536) else np.dtype("<u2"))
    return np.asarray(data, np.float32) / (2**bits - 1), first


def _through_table(values: Values, table: Dataset) -> Values:
    levels, first = table_of(table)
    places = np.clip(np.rint(values) - first, 0, len(levels) - 1)
    return np.asarray(levels[places.astype(np.intp)], np.float32)


def _all(value: Any) -> list[Any]:
    """A DICOM element's values, which may be one, several, or none."""
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)


def _through_window(values: Values, window: Window, function: str) -> Values:
    low, high = bounds_of(window, function)
    middle, width = np.float32((low + high) / 2), np.float32(high - low)
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - middle) / width, -80, 80))), np.float32)
    return (values - middle) / width + np.float32(0.5)


def _over_own_range(values: Values) -> Values:
    low, high = own_range(values)
    if high <= low:
        return np.zeros_like(values)
    return (values - np.float32(low)) / np.float32(high - low)
