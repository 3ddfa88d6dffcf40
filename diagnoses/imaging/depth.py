"""A picture with all the depth that its file has, for a viewer that chooses its own window.

Values are whole numbers from 0, and a greater one is always the brighter: what a MONOCHROME1 file or a negative slope
turns is turned here, once. `scale` and `offset` lead back to the values of the modality.
"""

import json
from base64 import b64encode
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_modality_lut

from diagnoses.imaging import dicom, voi
from diagnoses.imaging.decode import grey_values
from diagnoses.imaging.errors import ImageError, ImageFault
from diagnoses.imaging.kinds import FileKind, kind_of

_OPPOSITE_SIDE = {"L": "R", "R": "L"}


@dataclass(frozen=True)
class Look:
    """What is black and what is white: the values that are, or those that a curve reaches from and to."""

    low: float
    high: float
    name: str = ""
    curve: str = "linear"
    """Linear or sigmoid between the two, or a table, `levels`, that is stretched from one to the other."""
    levels: str = ""
    """Of a table: a grey level, 0 to 255, for each whole value from low to high, as bytes in base64."""


@dataclass(frozen=True)
class Spacing:
    """Millimetres from one pixel's middle to the next, down and across, and where they hold.

    At the `detector`, before which the body is smaller; in the `patient`; or as the `file` says without saying where.
    """

    down: float
    across: float
    place: str


@dataclass(frozen=True)
class Facts:
    """What a viewer needs to know of a picture beside its values."""

    rows: int
    columns: int
    type: str
    """uint8 or uint16."""
    highest: int
    looks: list[Look]
    """The file's own, the one to start with first."""
    own_range: tuple[float, float]
    """The picture's darkest and brightest values without its odd pixels."""
    scale: float = 1.0
    offset: float = 0.0
    """A value times scale plus offset is the modality's."""
    width_more: float = 1.0
    """What a window is wider than from its darkest value to its brightest: DICOM's LINEAR counts both."""
    unit: str = ""
    spacing: Spacing | None = None
    viewers_left: str = ""
    """The side of the patient (R or L) that is at the viewer's left; empty where the file does not say."""
    body_side: str = ""
    """The side that was exposed (R, L), of a part that there are two of; empty where the file does not say."""
    photometric: str = ""


@dataclass(frozen=True)
class FullPicture:
    """A decoded picture at its full depth, shape (rows, columns)."""

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    facts: Facts

    def packed(self) -> bytes:
        """A line of JSON, then the values row by row, little-endian; the line's length is even, as theirs is."""
        line = json.dumps(asdict(self.facts)).encode()
        padding = b" " * ((len(line) + 1) % 2)
        return line + padding + b"\n" + self.pixels.astype(self.pixels.dtype.newbyteorder("<"), copy=False).tobytes()


def full_picture(data: bytes) -> FullPicture:
    """Decode a PNG, JPEG or DICOM file without loss of depth. Raises ImageError where it cannot be read."""
    kind = kind_of(data)
    if kind is None:
        raise ImageError(ImageFault.UNSUPPORTED_TYPE, "This is no PNG, JPEG or DICOM file.")
    return _of_dicom(data) if kind is FileKind.DICOM else _of_picture(grey_values(data, kind))


def _of_picture(values: NDArray[Any]) -> FullPicture:
    """Eight bits are shown as they are; sixteen are stretched over their own range."""
    if values.dtype == np.uint8:
        pixels, low, look = values, 0, Look(0, 255)
    else:
        pixels, low = _from_zero(values.astype(np.int32), turned=False)
        look = Look(*_apart(0, float(pixels.max())))
    return FullPicture(pixels, _facts(pixels, [look], _apart(*voi.own_range(pixels)), offset=low))


def _of_dicom(data: bytes) -> FullPicture:
    dataset = dicom.read_header(data)
    try:
        values, slope, intercept = _whole_values(dataset, data)
        is_negative = dataset.PhotometricInterpretation == "MONOCHROME1"
        turned = is_negative != (slope < 0)
        pixels, start = _from_zero(values, turned=turned)
        scale = -slope if turned else slope
        offset = start * slope + intercept
        own_range = _apart(*voi.own_range(pixels))
        looks = _looks(dataset, int(pixels.max()), scale, offset) or [Look(*own_range)]
        return FullPicture(pixels, _facts(pixels, looks, own_range, scale=scale, offset=offset, **_said(dataset)))
    except Exception as error:  # each decoder plugin has errors of its own
        raise dicom.damaged() from error


def _whole_values(dataset: Dataset, data: bytes) -> tuple[NDArray[np.int32], float, float]:
    """Whole numbers with the slope and intercept that make modality values of them."""
    stored = dicom.stored_values(dataset, data)
    if dataset.get("ModalityLUTSequence"):
        return apply_modality_lut(stored, dataset).astype(np.int32), 1.0, 0.0
    if "RescaleSlope" not in dataset or "RescaleIntercept" not in dataset:
        return stored.astype(np.int32), 1.0, 0.0
    slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
    if not np.isfinite([slope, intercept]).all():
        raise ValueError(f"values are rescaled by {slope} and {intercept}")
    if slope == 0:
        return np.zeros(stored.shape, np.int32), 1.0, intercept
    return stored.astype(np.int32), slope, intercept


def _from_zero(values: NDArray[np.int32], *, turned: bool) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], int]:
    """The values as steps up from their lowest, or down from their highest, and the one that became 0."""
    start = int(values.max() if turned else values.min())
    steps = start - values if turned else values - start
    return (steps.astype(np.uint8) if steps.max() < 256 else steps.astype(np.uint16)), start


def _looks(dataset: Dataset, highest: int, scale: float, offset: float) -> list[Look]:
    """Those that the file names."""
    tables, windows = dataset.get("VOILUTSequence") or [], voi.windows_of(dataset)
    function = voi.function_of(dataset)
    curve = "sigmoid" if function == "SIGMOID" else "linear"
    looks = [_table_look(table, scale, offset, highest) for table in tables]
    for window in windows:
        low, high = sorted((bound - offset) / scale for bound in voi.bounds_of(window, function))
        if np.isfinite([low, high]).all():
            looks.append(Look(low, high, window.name, curve))
    return looks


def _table_look(table: Dataset, scale: float, offset: float, highest: int) -> Look:
    """A table over modality values as one over a viewer's; both ends of it hold beyond, as DICOM has it."""
    shares, first = voi.table_of(table)
    ends = sorted((value - offset) / scale for value in (first, first + len(shares) - 1))
    low, high = _apart(float(np.floor(np.clip(ends[0], 0, highest))), float(np.ceil(np.clip(ends[1], 0, highest))))
    values = np.arange(low, high + 1) * scale + offset
    places = np.clip(np.rint(values) - first, 0, len(shares) - 1).astype(np.intp)
    levels = np.asarray(np.clip(shares[places], 0, 1) * 255 + 0.5, np.uint8)
    # A table says how bright a modality value is; what is turned for the eye has its levels turned with it.
    levels = 255 - levels if scale < 0 else levels
    name = str(table.get("LUTExplanation") or "").strip()
    return Look(low, high, name, "table", b64encode(levels.tobytes()).decode())


def _facts(pixels: NDArray[Any], looks: list[Look], own_range: tuple[float, float], **said: Any) -> Facts:
    rows, columns = pixels.shape
    return Facts(rows, columns, pixels.dtype.name, int(pixels.max()), looks, own_range, **said)


def _apart(low: float, high: float) -> tuple[float, float]:
    """A picture of one value has no range of its own."""
    return low, max(high, low + 1)


def _said(dataset: Dataset) -> dict[str, Any]:
    """What the header says for people."""
    return {
        "width_more": 1.0 if voi.function_of(dataset) == "LINEAR" else 0.0,
        "unit": _unit(dataset),
        "spacing": _spacing(dataset),
        "viewers_left": _viewers_left(dataset),
        "body_side": _side(dataset, "ImageLaterality") or _side(dataset, "Laterality"),
        "photometric": str(dataset.PhotometricInterpretation),
    }


def _unit(dataset: Dataset) -> str:
    """US stands for unspecified."""
    unit = str(dataset.get("RescaleType") or "").strip()
    return "" if unit == "US" else unit


def _spacing(dataset: Dataset) -> Spacing | None:
    """Where both distances are the same, that in the patient is a copy of the detector's, which was never corrected."""
    detector, patient = _distances(dataset, "ImagerPixelSpacing"), _distances(dataset, "PixelSpacing")
    if patient and (dataset.get("PixelSpacingCalibrationType") or (detector and patient != detector)):
        return Spacing(*patient, "patient")
    if detector:
        return Spacing(*detector, "detector")
    return Spacing(*patient, "file") if patient else None


def _distances(dataset: Dataset, name: str) -> tuple[float, float] | None:
    values = dataset.get(name) or []
    if len(values) != 2 or not all(0 < float(value) < 10 for value in values):
        return None
    return float(values[0]), float(values[1])


def _viewers_left(dataset: Dataset) -> str:
    """Patient orientation (0020,0020) begins with the direction in which rows run: to the viewer's right."""
    orientation = dataset.get("PatientOrientation") or []
    towards = str(orientation[0]).strip().upper()[:1] if len(orientation) else ""
    return _OPPOSITE_SIDE.get(towards, "")


def _side(dataset: Dataset, name: str) -> str:
    value = str(dataset.get(name) or "").strip().upper()
    return value if value in _OPPOSITE_SIDE else ""
