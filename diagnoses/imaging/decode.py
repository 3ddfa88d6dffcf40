"""From a file's bytes to grey levels, in the one way that the whole product uses."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from diagnoses.imaging import dicom, png
from diagnoses.imaging.errors import ImageError, ImageFault
from diagnoses.imaging.kinds import FileKind, kind_of

_CLEARLY_COLOURED = 48
"""Levels between a pixel's strongest and weakest primary; a tinted film or screen stays below."""
_EACH = 8
"""Of so many pixels across and down one is looked at for its colour."""
_JPEG_FRAME_STARTS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PNG_COLOUR_TYPE = slice(25, 26)
_PNG_COLOUR_TYPES = {b"\2", b"\3", b"\6"}
"""True colour, palette, true colour with alpha."""


@dataclass(frozen=True)
class Radiograph:
    """A decoded picture: grey levels 0 (black) to 255 (white), shape (height, width).

    `chroma` is the share of clearly coloured pixels in the file, 0 to 1; `facts` are what a DICOM header says.
    """

    pixels: NDArray[np.uint8]
    chroma: float = 0.0
    facts: dicom.DicomFacts | None = None


def decode(data: bytes) -> Radiograph:
    """Decode a PNG, JPEG or DICOM file. Raises ImageError where it cannot be read."""
    kind = kind_of(data)
    if kind is None:
        raise ImageError(ImageFault.UNSUPPORTED_TYPE, "This is no PNG, JPEG or DICOM file.")
    if kind is FileKind.DICOM:
        return Radiograph(dicom.grey_levels(data), facts=dicom.facts_of(data))
    return _decode_jpeg(data) if kind is FileKind.JPEG else _decode_png(data)


def grey_values(data: bytes, kind: FileKind) -> NDArray[Any]:
    """The grey values of a PNG or JPEG file with the 8 or 16 bits that they have. Raises ImageError."""
    return _jpeg_values(data) if kind is FileKind.JPEG else _png_values(data)[0]


def _decode_jpeg(data: bytes) -> Radiograph:
    """Its colours are read at an eighth of its size, at little cost."""
    pixels = _jpeg_values(data)
    if not _jpeg_has_colours(data):
        return Radiograph(pixels)
    return Radiograph(pixels, chroma=_coloured_share(_read(data, cv2.IMREAD_REDUCED_COLOR_8)))


def _jpeg_values(data: bytes) -> NDArray[np.uint8]:
    """Turned as its EXIF says, as every viewer does."""
    return np.asarray(_read(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def _decode_png(data: bytes) -> Radiograph:
    values, colours = _png_values(data)
    chroma = 0.0 if colours is None else _coloured_share(colours[::_EACH, ::_EACH])
    return Radiograph(_eight_bits(values), chroma=chroma)


def _png_values(data: bytes) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Its grey values, and its colours where it has any.

    ANYDEPTH keeps the 16 bits of a 16-bit picture. A PNG is never turned, whatever it says of itself.
    """
    data = _whole_png(data)
    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    if data[_PNG_COLOUR_TYPE] not in _PNG_COLOUR_TYPES:
        return _read(data, flags | cv2.IMREAD_GRAYSCALE), None
    colours = _read(data, flags | cv2.IMREAD_COLOR)
    return cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY), colours


def _whole_png(data: bytes) -> bytes:
    """The picture to its end. The decoder is given nothing else: damage in an animation makes it end its process."""
    try:
        *_, end = png.look(data)
    except png.PngError as error:
        raise _damaged() from error
    return data[:end]


def _read(data: bytes, flags: int) -> NDArray[Any]:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise _damaged() from error
    if pixels is None:
        raise _damaged()
    return np.asarray(pixels)


def _coloured_share(colours: NDArray[Any]) -> float:
    """The share of clearly coloured pixels of a BGR picture of 8 or 16 bits."""
    if colours.dtype == np.uint16:
        colours = (colours >> 8).astype(np.uint8)
    blue, green, red = cv2.split(np.ascontiguousarray(colours))
    spread = cv2.max(cv2.max(blue, green), red) - cv2.min(cv2.min(blue, green), red)
    return float(np.mean(spread > _CLEARLY_COLOURED))


def _jpeg_has_colours(data: bytes) -> bool:
    """Whether the frame header, found by going from marker to marker, names more than one component."""
    place = 2
    while place + 9 < len(data) and data[place] == 0xFF:
        if data[place + 1] in _JPEG_FRAME_STARTS:
            return data[place + 9] > 1
        is_filled = data[place + 1] == 0xFF  # any number of these may stand before a marker
        place += 1 if is_filled else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return False


def _damaged() -> ImageError:
    return ImageError(ImageFault.DAMAGED, "This picture is damaged. Export it again from its source and resend it.")


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    return _stretch(pixels) if pixels.dtype == np.uint16 else np.asarray(pixels, np.uint8)


def _stretch(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """16-bit pictures hold 10 to 16 bits of content without saying how many, so their own range is used."""
    return np.asarray(cv2.normalize(pixels.astype(np.float32), None, 0, 255, cv2.NORM_MINMAX) + 0.5, np.uint8)
