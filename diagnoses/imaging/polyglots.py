"""Files that are of two kinds at once: a picture to one program, and something to run or to unpack to another."""

from diagnoses.imaging.errors import ImageError, ImageFault

PREAMBLE_BYTES = 128
"""What stands before a DICOM file's own first bytes, and means nothing to DICOM."""

_FOREIGN_STARTS = (
    b"MZ",
    b"\x7fELF",
    b"PK",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"%PDF",
    b"%!",
    b"#!",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"BM",
    b"RIFF",
    b"Rar!",
    b"7z\xbc\xaf",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"\xca\xfe\xba\xbe",
    b"\xfe\xed\xfa",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xd0\xcf\x11\xe0",
    b"\0asm",
    b"OggS",
    b"ID3",
    b"{\\rtf",
)
"""Programs, archives, documents and pictures, by the bytes that each begins with."""
_FOREIGN_WORDS = (b"<html", b"<!doctype", b"<script", b"<?xml", b"<?php", b"<svg", b"<body", b"<head", b"<iframe")
_ZIP_END = b"PK\x05\x06"
_ZIP_END_BYTES = 22
_LONGEST_ZIP_COMMENT = 65_535
_ZIP_DIRECTORY_ENTRY = b"PK\x01\x02"


def check_preamble(data: bytes) -> None:
    """Raises ImageError where a DICOM file's preamble makes it a file of another kind, too."""
    preamble = data[:PREAMBLE_BYTES]
    text = preamble.lstrip(b"\xef\xbb\xbf \t\r\n\0").lower()
    if preamble.startswith(_FOREIGN_STARTS) or text.startswith(_FOREIGN_WORDS):
        raise two_kinds()


def without_preamble(data: bytes) -> bytes:
    """A DICOM file whose preamble says nothing."""
    empty = bytes(PREAMBLE_BYTES)
    return data if data.startswith(empty) else empty + data[PREAMBLE_BYTES:]


def check_end(data: bytes) -> None:
    """Raises ImageError where the end of a file makes it a ZIP archive, too."""
    start = max(0, len(data) - _ZIP_END_BYTES - _LONGEST_ZIP_COMMENT)
    place = data.rfind(_ZIP_END, start)
    while place >= 0:
        if _ends_a_zip(data, place):
            raise two_kinds()
        place = data.rfind(_ZIP_END, start, place)


def two_kinds() -> ImageError:
    """The error for a file that is of two kinds."""
    return ImageError(
        ImageFault.TWO_KINDS,
        "This file is a picture and a file of another kind at once, which no device makes. Export it again from its "
        "source and resend it; if it is refused again, tell your IT.",
    )


def _ends_a_zip(data: bytes, place: int) -> bool:
    """Whether the four bytes are there by intent: a directory before them, or the rest of the file after them."""
    size = int.from_bytes(data[place + 12 : place + 16], "little")
    comment = int.from_bytes(data[place + 20 : place + 22], "little")
    directory = place - size
    has_directory = 0 <= directory < place and data.startswith(_ZIP_DIRECTORY_ENTRY, directory)
    return has_directory or place + _ZIP_END_BYTES + comment == len(data)
