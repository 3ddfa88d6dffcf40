"""DICOM: what is taken in, and how its stored values become grey levels."""

import re
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread, uid
from pydicom.encaps import get_frame
from pydicom.pixels.processing import apply_modality_lut
from pydicom.pixels.utils import pixel_array

from diagnoses.imaging import elements, fragile, voi
from diagnoses.imaging.age import years_between
from diagnoses.imaging.errors import ImageError, ImageFault

_MODALITIES = {"CR", "DX"}
_PHOTOMETRIC_INTERPRETATIONS = {"MONOCHROME1", "MONOCHROME2"}
_UNCOMPRESSED = {uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian}
_IN_PROCESS = {uid.JPEGBaseline8Bit: "pillow", uid.RLELossless: "pydicom"}
_FRAGILE = {
    uid.JPEGLossless: "gdcm",
    uid.JPEGLosslessSV1: "gdcm",
    uid.JPEGLSLossless: "gdcm",
    uid.JPEGLSNearLossless: "gdcm",
    uid.JPEG2000Lossless: "pylibjpeg",
    uid.JPEG2000: "pylibjpeg",
}
"""Damaged data makes these decoders end their process, or take all of its memory."""
_BITS_ALLOCATED = {8, 16}
_MOST_ROWS = 65_535
_UNITS_OF_A_YEAR = {"D": 365, "W": 52, "M": 12, "Y": 1}


@dataclass(frozen=True)
class DicomFacts:
    """What a header says of what was exposed, in capitals. Empty or None where it does not say."""

    view_position: str = ""
    """A code like PA, AP or LL, or the words for the view, like POSTERO-ANTERIOR."""
    body_part: str = ""
    age_years: float | None = None


def read_header(data: bytes) -> Dataset:
    """The data set of a DICOM file, its pixels still encoded.

    The transfer syntax is looked at first and on its own: reading a deflated data set would inflate all of it. Then the
    elements are counted: reading keeps all of them, and nested ones by recursion.
    Raises ImageError where the file is damaged or of a kind that is not taken.
    """
    meta = check_start(data)
    try:
        dataset = dcmread(BytesIO(data))
        _check_same_syntax(dataset, meta.syntax)
        _check_is_radiograph(dataset)
        _check_pixels_are_there(dataset, meta.syntax)
    except ImageError:
        raise
    except Exception as error:  # elements are parsed when they are first touched, and break the parser in many ways
        raise damaged() from error
    return dataset


def check_start(data: bytes) -> elements.Meta:
    """How a file is encoded, of which `data` holds at least the start, once a parser may be let near it.

    Raises ImageError for what is not taken.
    """
    meta = _taken_meta(data)
    elements.check_elements(data, meta)
    return meta


def _taken_meta(data: bytes) -> elements.Meta:
    try:
        meta = elements.read_meta(data)
    except ValueError as error:
        raise damaged() from error
    if meta.syntax not in _UNCOMPRESSED | _IN_PROCESS.keys() | _FRAGILE.keys():
        raise ImageError(
            ImageFault.UNSUPPORTED_ENCODING,
            "The DICOM transfer syntax {syntax} is not taken. Export it uncompressed, or as JPEG lossless, "
            "JPEG-LS, JPEG 2000 or RLE.",
            syntax=meta.syntax.name,
        )
    return meta


def grey_levels(data: bytes) -> NDArray[np.uint8]:
    """Decode a DICOM file to grey levels 0 (black) to 255 (white), shape (rows, columns), bone bright.

    Modality LUT, then the first VOI LUT or window; a file that names none is stretched over its own range. A
    MONOCHROME1 picture is inverted, which pydicom leaves to its caller. Raises ImageError.
    """
    dataset = read_header(data)
    try:
        values = apply_modality_lut(stored_values(dataset, data), dataset).astype(np.float32)
        grey = voi.to_grey(values, dataset)
    except Exception as error:  # each decoder plugin has errors of its own
        raise damaged() from error
    return 255 - grey if dataset.PhotometricInterpretation == "MONOCHROME1" else grey


def facts_of(data: bytes) -> DicomFacts:
    """View, body part (0018,0015) and the patient's age of a DICOM file that `read_header` takes. Raises ImageError."""
    try:
        dataset = dcmread(BytesIO(data), stop_before_pixels=True)
        return DicomFacts(_view(dataset), _text(dataset, "BodyPartExamined"), _age_years(dataset))
    except Exception as error:  # as above: elements are parsed when they are first touched
        raise damaged() from error


def _view(dataset: Dataset) -> str:
    """View position (0018,5101), which computed radiography has, or the words of the view code (0054,0220)."""
    codes = dataset.get("ViewCodeSequence", None)
    return _text(dataset, "ViewPosition") or (_text(codes[0], "CodeMeaning") if codes else "")


def _text(dataset: Dataset, name: str) -> str:
    return str(dataset.get(name, None) or "").strip().upper()


def _age_years(dataset: Dataset) -> float | None:
    """From the age that was written down (an age string like 003Y), or from the dates of birth and study."""
    age = re.fullmatch(r"(\d{3})([DWMY])", _text(dataset, "PatientAge"))
    if age:
        return int(age[1]) / _UNITS_OF_A_YEAR[age[2]]
    try:
        born, exposed = (date.fromisoformat(_text(dataset, name)) for name in ("PatientBirthDate", "StudyDate"))
    except ValueError:
        return None
    return years_between(born, exposed)


def stored_values(dataset: Dataset, data: bytes) -> NDArray[Any]:
    """What the pixels of a data set that `read_header` gave hold, before any table. Raises as each decoder does."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in _FRAGILE:
        return fragile.stored_values(data, _FRAGILE[syntax])
    if syntax in _UNCOMPRESSED:
        return dataset.pixel_array
    _check_declared_size(dataset)
    # Named, so that a decoder that gives up is not followed by one that takes the process down.
    return pixel_array(dataset, decoding_plugin=_IN_PROCESS[syntax])


def _check_declared_size(dataset: Dataset) -> None:
    """Refuse a JPEG that declares another size than the file that wraps it: room would be made for its word."""
    if dataset.file_meta.TransferSyntaxUID == uid.JPEGBaseline8Bit:
        with Image.open(BytesIO(get_frame(dataset.PixelData, 0, number_of_frames=1)), formats=["JPEG"]) as frame:
            if frame.size != (dataset.Columns, dataset.Rows):
                raise ValueError(f"the frame declares {frame.size}")


def _check_same_syntax(dataset: Dataset, syntax: uid.UID) -> None:
    if dataset.file_meta.TransferSyntaxUID != syntax:
        raise damaged()


def _check_is_radiograph(dataset: Dataset) -> None:
    modality = dataset.get("Modality", "unknown")
    if modality not in _MODALITIES:
        raise ImageError(
            ImageFault.NOT_A_RADIOGRAPH,
            "This DICOM file is of modality {modality}; only radiographs are read (CR, computed radiography, DX, "
            "digital radiography).",
            modality=str(modality),
        )
    if "PixelData" not in dataset:
        raise ImageError(ImageFault.NO_PIXELS, "This DICOM file holds no picture. Send the image object itself.")
    if int(dataset.get("NumberOfFrames", None) or 1) != 1:
        raise ImageError(
            ImageFault.SEVERAL_FRAMES, "This DICOM file holds several frames. Send each radiograph as its own file."
        )
    photometric = dataset.get("PhotometricInterpretation", "none")
    if photometric not in _PHOTOMETRIC_INTERPRETATIONS or dataset.get("SamplesPerPixel", 1) != 1:
        raise ImageError(
            ImageFault.UNSUPPORTED_ENCODING,
            "The photometric interpretation {photometric} is not taken. Send the original grey radiograph.",
            photometric=str(photometric),
        )


def _check_pixels_are_there(dataset: Dataset, syntax: uid.UID) -> None:
    if dataset.BitsAllocated not in _BITS_ALLOCATED:
        raise ImageError(
            ImageFault.UNSUPPORTED_ENCODING,
            "{bits} bits per pixel are not taken. Export the radiograph with 8 to 16 bits.",
            bits=int(dataset.BitsAllocated),
        )
    _check_numbers(dataset)
    expected = dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8
    if not dataset.PixelData or (syntax in _UNCOMPRESSED and len(dataset.PixelData) < expected):
        raise damaged()


def _check_numbers(dataset: Dataset) -> None:
    """What is reckoned with are whole numbers that 16 bits hold, whatever kind of element a file keeps them in."""
    stored = dataset.get("BitsStored", dataset.BitsAllocated)
    for number, least, most in (
        (dataset.Rows, 1, _MOST_ROWS),
        (dataset.Columns, 1, _MOST_ROWS),
        (stored, 1, dataset.BitsAllocated),
        (dataset.get("HighBit", stored - 1), stored - 1, dataset.BitsAllocated - 1),
        (dataset.get("PixelRepresentation", 0), 0, 1),
    ):
        if type(number) is not int or not least <= number <= most:
            raise damaged()


def damaged() -> ImageError:
    """The error for a file that cannot be decoded."""
    return ImageError(
        ImageFault.DAMAGED, "This DICOM file is damaged or cut short. Export it again from its source and resend it."
    )
