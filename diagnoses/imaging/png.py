"""The structure of a PNG: its size and its end, found chunk by chunk, without inflating anything."""

import zlib
from struct import Struct

from diagnoses.imaging.errors import ImageError, ImageFault

_SIGNATURE_BYTES = 8
_CHUNK = Struct(">I4s")
_AROUND_BODY = 12
"""A chunk's length and name before its body, and its checksum after it."""
_HEADER = Struct(">IIBBBBB")
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
"""Bits per sample, by the type of colour."""
_MOST_CHUNKS = 100_000
"""Of a large picture in the smallest pieces that writers use there are a fifth as many."""


class PngError(ValueError):
    """The chunks do not make a PNG."""


def look(data: bytes) -> tuple[int, int, int]:
    """Width, height, and where the picture ends in the file. Raises ImageError, and PngError for a damaged one.

    Text, profiles and animation beside the picture are stepped over: what they would inflate to stays unknown.
    """
    size, place = _header(data)
    has_pixels = False
    for _ in range(_MOST_CHUNKS):
        name, place = _next_chunk(data, place)
        if name == b"acTL":
            raise ImageError(ImageFault.SEVERAL_FRAMES, "This PNG is animated. Send each radiograph as its own file.")
        if name == b"IHDR":
            raise PngError("two headers")
        has_pixels |= name == b"IDAT"
        if name == b"IEND":
            if not has_pixels:
                raise PngError("no pixels")
            return *size, place
    raise ImageError(
        ImageFault.TOO_COMPLEX, "This file is made of more parts than a radiograph is. Export it again from its source."
    )


def _header(data: bytes) -> tuple[tuple[int, int], int]:
    name, place = _next_chunk(data, _SIGNATURE_BYTES)
    if name != b"IHDR" or place != _SIGNATURE_BYTES + _AROUND_BODY + _HEADER.size:
        raise PngError("no header")
    width, height, depth, colours, compression, filtering, interlacing = _HEADER.unpack_from(data, _SIGNATURE_BYTES + 8)
    if depth not in _DEPTHS.get(colours, set()) or compression or filtering or interlacing > 1:
        raise PngError("an unknown header")
    return (width, height), place


def _next_chunk(data: bytes, place: int) -> tuple[bytes, int]:
    """The name of the chunk that starts here, and where the next one does."""
    if place + _AROUND_BODY > len(data):
        raise PngError("cut short")
    length, name = _CHUNK.unpack_from(data, place)
    end = place + _AROUND_BODY + length
    if end > len(data):
        raise PngError("cut short")
    checksum = zlib.crc32(memoryview(data)[place + 4 : end - 4])
    if checksum != int.from_bytes(data[end - 4 : end], "big"):
        raise PngError("a checksum is wrong")
    return name, end
