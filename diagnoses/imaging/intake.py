"""What a file must be to be taken in, found out without decoding its pixels."""

from dataclasses import dataclass

from diagnoses.imaging import MAX_PIXELS, dicom, jpeg, png, polyglots
from diagnoses.imaging.errors import ImageError, ImageFault
from diagnoses.imaging.kinds import FileKind, kind_of

MIN_EDGE = 100
"""Pixels. Below it a chest radiograph shows too little to be read."""


@dataclass(frozen=True)
class Inspected:
    """What is known of a file that may be taken in. Width and height are in pixels.

    Of a PNG or JPEG the first `length` bytes are the picture; what comes after them is nobody's.
    """

    kind: FileKind
    width: int
    height: int
    length: int


def inspect(data: bytes, max_bytes: int) -> Inspected:
    """Check a file and say what it is.

    Raises ImageError, with words for its sender, for anything but a whole PNG, JPEG or DICOM radiograph of at
    most `max_bytes` bytes, and for one that is a file of another kind besides.
    """
    if not data:
        raise ImageError(ImageFault.EMPTY_FILE, "The file is empty. Export it again from its source and resend it.")
    if len(data) > max_bytes:
        raise too_large(len(data), max_bytes)
    kind = kind_of(data)
    if kind is None:
        raise unsupported()
    polyglots.check_end(data)
    width, height, length = _dicom_size(data) if kind is FileKind.DICOM else _picture_size(data, kind)
    _check_size(width, height)
    return Inspected(kind, width, height, length)


def to_keep(data: bytes, inspected: Inspected) -> bytes:
    """Of a file that was inspected, what goes into storage: a picture to its end, DICOM without what precedes it.

    The very same bytes where nothing is to be left out.
    """
    return (
        polyglots.without_preamble(data) if inspected.kind is FileKind.DICOM else data[: inspected.length]
    )  # all of it is no copy


def unsupported() -> ImageError:
    """The error for a file of none of our kinds."""
    return ImageError(
        ImageFault.UNSUPPORTED_TYPE,
        "This is no PNG, JPEG or DICOM file, whatever its name says. Export the radiograph as one of these.",
    )


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


def _dicom_size(data: bytes) -> tuple[int, int, int]:
    polyglots.check_preamble(data)
    dataset = dicom.read_header(data)
    return int(dataset.Columns), int(dataset.Rows), len(data)


def _picture_size(data: bytes, kind: FileKind) -> tuple[int, int, int]:
    """Width and height, turned as the decoder turns them, and where the picture ends."""
    try:
        return png.look(data) if kind is FileKind.PNG else jpeg.look(data)
    except (png.PngError, jpeg.JpegError) as error:
        raise _damaged() from error


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
