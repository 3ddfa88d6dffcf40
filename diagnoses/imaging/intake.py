"""What a file must be to be taken in, found out without decoding its pixels."""

from dataclasses import dataclass
from io import BytesIO

from PIL import ExifTags, Image

from diagnoses.imaging import dicom
from diagnoses.imaging.errors import ImageError, ImageFault
from diagnoses.imaging.kinds import FileKind, kind_of

MIN_EDGE = 100
"""Pixels. Below it a chest radiograph shows too little to be read."""
MAX_PIXELS = 40_000_000
"""More than the largest detectors give; it bounds the memory that decoding takes."""

_JPEG_END = b"\xff\xd9"
_JPEG_SCAN_START = b"\xff\xda"
_FIRST_TURNED = 5
"""EXIF orientations from here on are turned by a quarter, as the decoder turns them."""

# Pillow's own bound only warns; ours, checked from the header right after opening, refuses.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Inspected:
    """What is known of a file that may be taken in. Width and height are in pixels."""

    kind: FileKind
    width: int
    height: int


def inspect(data: bytes, max_bytes: int) -> Inspected:
    """Check a file and say what it is.

    Raises ImageError, with words for its sender, for anything but a whole PNG, JPEG or DICOM radiograph of at
    most `max_bytes` bytes.
    """
    if not data:
        raise ImageError(ImageFault.EMPTY_FILE, "The file is empty. Export it again from its source and resend it.")
    if len(data) > max_bytes:
        raise too_large(len(data), max_bytes)
    kind = kind_of(data)
    if kind is None:
        raise ImageError(
            ImageFault.UNSUPPORTED_TYPE,
            "This is no PNG, JPEG or DICOM file, whatever its name says. Export the radiograph as one of these.",
        )
    width, height = _dicom_size(data) if kind is FileKind.DICOM else _picture_size(data, kind)
    _check_size(width, height)
    return Inspected(kind, width, height)


def too_large(size: int, max_bytes: int) -> ImageError:
    """The error for a file of `size` bytes where `max_bytes` are allowed."""
    mb = 1024 * 1024
    return ImageError(
        ImageFault.TOO_LARGE,
        "The file has {size} MB; at most {most} MB are taken. Send the single radiograph, or ask your administrator "
        "to raise the limit.",
        size=round(size / mb),
        most=round(max_bytes / mb),
    )


def _dicom_size(data: bytes) -> tuple[int, int]:
    dataset = dicom.read_header(data)
    return int(dataset.Columns), int(dataset.Rows)


def _picture_size(data: bytes, kind: FileKind) -> tuple[int, int]:
    try:
        size, frames = _picture_header(data, kind)
        if kind is FileKind.PNG and size[0] * size[1] <= MAX_PIXELS:
            with _opened(data, kind) as picture:
                picture.verify()
    except Exception as error:  # damage breaks Pillow's parsers in many ways, IndexError among them
        raise _damaged() from error
    # verify() checks the chunks of a PNG, and nothing of a JPEG. In coded data FF is always followed by 00 or a
    # restart marker, so an end marker after the last scan is the real one.
    if kind is FileKind.JPEG and data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN_START):
        raise _damaged()
    if kind is FileKind.PNG and frames != 1:
        raise ImageError(ImageFault.SEVERAL_FRAMES, "This PNG is animated. Send each radiograph as its own file.")
    return size


def _picture_header(data: bytes, kind: FileKind) -> tuple[tuple[int, int], int]:
    """Width and height, turned as the decoder turns them, and the number of frames."""
    with _opened(data, kind) as picture:
        width, height = picture.size
        # Only of a JPEG: to look for it, Pillow would decode all of a PNG.
        exif = picture.getexif() if kind is FileKind.JPEG else {}
        is_turned = exif.get(ExifTags.Base.Orientation, 1) >= _FIRST_TURNED
        return (height, width) if is_turned else (width, height), getattr(picture, "n_frames", 1)


def _opened(data: bytes, kind: FileKind) -> Image.Image:
    return Image.open(BytesIO(data), formats=["PNG" if kind is FileKind.PNG else "JPEG"])


def _check_size(width: int, height: int) -> None:
    if min(width, height) < MIN_EDGE:
        raise ImageError(
            ImageFault.TOO_SMALL,
            "The picture has {width} x {height} pixels; at least {least} on each side are needed. Send the original, "
            "not a thumbnail.",
            width=width,
            height=height,
            least=MIN_EDGE,
        )
    if width * height > MAX_PIXELS:
        raise ImageError(
            ImageFault.TOO_MANY_PIXELS,
            "The picture has {count} megapixels; at most {most} are taken. Export it at the detector's own resolution "
            "or smaller.",
            count=round(width * height / 1e6),
            most=MAX_PIXELS // 1_000_000,
        )


def _damaged() -> ImageError:
    return ImageError(
        ImageFault.DAMAGED, "The picture is damaged or cut short. Export it again from its source and resend it."
    )
