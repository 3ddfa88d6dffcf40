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
        return Radiograph(dicom.grey_levels(data))
    return Radiograph(_decode_picture(data, kind))


def _decode_picture(data: bytes, kind: FileKind) -> NDArray[np.uint8]:
    # ANYDEPTH keeps the 16 bits of a 16-bit PNG. A JPEG is turned as its EXIF says, as every viewer does; a PNG is not.
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH
    if kind is FileKind.PNG:
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise _damaged() from error
    if pixels is None:
        raise _damaged()
    if pixels.dtype == np.uint16:
        return _stretch(pixels)
    return np.asarray(pixels, np.uint8)


def _damaged() -> ImageError:
    return ImageError(ImageFault.DAMAGED, "This picture is damaged. Export it again from its source and resend it.")


def _stretch(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """16-bit pictures hold 10 to 16 bits of content without saying how many, so their own range is used."""
    return np.asarray(cv2.normalize(pixels.astype(np.float32), None, 0, 255, cv2.NORM_MINMAX) + 0.5, np.uint8)
