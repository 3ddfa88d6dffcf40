"""The structure of a JPEG: its size as it is shown and its end, found marker by marker, without decoding anything."""

import re
from dataclasses import dataclass
from struct import error as StructError  # noqa: N812 - a class, whatever its name
from struct import unpack_from

from diagnoses.imaging.errors import ImageError, ImageFault

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_FRAMES_TAKEN = {0xC0, 0xC1, 0xC2}
"""Baseline, extended and progressive, in Huffman's code: what decoders of pictures read."""
_ALONE = {0x01, *range(0xD0, 0xD8)}
"""Markers that nothing belongs to."""
_IMAGE_START, _IMAGE_END, _SCAN_START, _EXIF = 0xD8, 0xD9, 0xDA, 0xE1
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""In coded pixels FF is followed by 00 or a restart marker; anything else ends them."""
_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
"""Any number of FF may stand before it."""
_EXIF_START = b"Exif\0\0"
_ORIENTATION = 0x0112
_FIRST_TURNED = 5
"""EXIF orientations from here to the last are turned by a quarter, as the decoder turns them."""
_LAST_TURNED = 8
_MOST_SCANS = 64
"""A progressive picture has about ten; each makes a decoder go over all of its pixels."""
_MOST_SEGMENTS = 2000


class JpegError(ValueError):
    """The markers do not make a JPEG."""


@dataclass
class _Seen:
    size: tuple[int, int] | None = None
    is_turned: bool | None = None
    scans: int = 0


def look(data: bytes) -> tuple[int, int, int]:
    """Width and height as shown, and where the first picture ends. Raises ImageError, and JpegError for a damaged one.

    Further pictures in the file, such as a thumbnail or a telephone's second exposure, come after that end or within
    a segment, and are not looked at.
    """
    seen, place = _Seen(), 2
    for _ in range(_MOST_SEGMENTS):
        marker, place = _next_marker(data, place)
        if marker == _IMAGE_END:
            return *_shown_size(seen), place
        if marker not in _ALONE:
            place = _segment(data, marker, place, seen)
    raise _too_complex()


def _next_marker(data: bytes, place: int) -> tuple[int, int]:
    """The marker that stands here, and where its segment starts."""
    found = _MARKER.match(data, place)
    if not found:
        raise JpegError("no marker")
    return found[1][0], found.end()


def _segment(data: bytes, marker: int, place: int, seen: _Seen) -> int:
    """Learn from a segment what there is to be learnt; where the next marker is."""
    length = int.from_bytes(data[place : place + 2], "big")
    end = place + length
    if length < 2 or end > len(data) or marker == _IMAGE_START:
        raise JpegError("cut short")
    if marker in _FRAMES:
        _frame(data[place + 2 : end], marker, seen)
    if marker == _EXIF and seen.is_turned is None and data.startswith(_EXIF_START, place + 2):
        seen.is_turned = _FIRST_TURNED <= _orientation(data[place + 8 : end]) <= _LAST_TURNED
    return _after_scan(data, end, seen) if marker == _SCAN_START else end


def _frame(body: bytes, marker: int, seen: _Seen) -> None:
    if seen.size is not None or len(body) < 6:
        raise JpegError("two frames")
    precision, height, width, components = unpack_from(">BHHB", body)
    if marker not in _FRAMES_TAKEN or precision != 8 or components not in (1, 3):
        raise ImageError(
            ImageFault.UNSUPPORTED_ENCODING,
            "A JPEG of this kind is not taken, such as one of 12 bits or in printing colours. Export it as an ordinary "
            "JPEG or as PNG.",
        )
    if not width or not height:
        raise JpegError("no size")
    seen.size = width, height


def _after_scan(data: bytes, place: int, seen: _Seen) -> int:
    seen.scans += 1
    if seen.scans > _MOST_SCANS:
        raise _too_complex()
    found = _AFTER_SCAN.search(data, place)
    if seen.size is None or not found:
        raise JpegError("cut short")
    return found.start()


def _shown_size(seen: _Seen) -> tuple[int, int]:
    if seen.size is None or not seen.scans:
        raise JpegError("no pixels")
    width, height = seen.size
    return (height, width) if seen.is_turned else (width, height)


def _orientation(tiff: bytes) -> int:
    """What EXIF says of how the picture is to be turned; 1, as it is, where it says nothing that can be read."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        directory = unpack_from(f"{order}I", tiff, 4)[0]
        count = unpack_from(f"{order}H", tiff, directory)[0]
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, _, _, value = unpack_from(f"{order}HHIH", tiff, entry)
            if tag == _ORIENTATION:
                return int(value)
    except StructError:
        return 1
    return 1


def _too_complex() -> ImageError:
    return ImageError(
        ImageFault.TOO_COMPLEX, "This file is made of more parts than a radiograph is. Export it again from its source."
    )
