"""From a file's bytes to grey levels, in the one way that the whole product uses."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from diagnoses.imaging import dicom
from diagnoses.imaging.errors import ImageError, ImageFault
from diagnoses.imaging.kinds import FileKind, kind_of


@dataclass(frozen=True)
class Radiograph:
    """A decoded picture: grey levels 0 (black) to 255 (white), shape (height, width)."""

    pixels: NDArray[np.uint8]


def decode(data: bytes) -> Radiograph:
    """Decode a PNG, JPEG or DICOM file. Raises ImageError where it cannot be read."""
    kind = kind_of(data)
    if kind is None:
        raise ImageError(ImageFault.UNSUPPORTED_TYPE, "This is no PNG, JPEG or DICOM file.")
    if kind is FileKind.DICOM:
        return Radiograph(dicom.grey_levels(dicom.read_header(data)))
    return Radiograph(_decode_picture(data))


def _decode_picture(data: bytes) -> NDArray[np.uint8]:
    # ANYDEPTH keeps the 16 bits of a 16-bit PNG; without IMREAD_COLOR the result is grey.
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    if pixels is None:
        raise ImageError(ImageFault.DAMAGED, "This picture is damaged. Export it again from its source and resend it.")
    if pixels.dtype == np.uint16:
        return _stretch(pixels)
    return np.asarray(pixels, np.uint8)


def _stretch(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """16-bit pictures hold 10 to 16 bits of content without saying how many, so their own range is used."""
    return np.asarray(cv2.normalize(pixels.astype(np.float32), None, 0, 255, cv2.NORM_MINMAX) + 0.5, np.uint8)
