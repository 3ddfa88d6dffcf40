"""What kind of file it is, judged from its first bytes and never from its name."""

from enum import StrEnum

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_DICOM_PREAMBLE_BYTES = 128
_DICOM_SIGNATURE = b"DICM"
_ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
"""Of one with files in it, and of an empty one."""

TELLING_BYTES = 132
"""So many of a file's first bytes say what it is."""


class FileKind(StrEnum):
    """The kinds of file that are taken in."""

    PNG = "png"
    JPEG = "jpeg"
    DICOM = "dicom"


def kind_of(data: bytes) -> FileKind | None:
    """The kind of a file of which `data` holds at least the first 132 bytes; None for any other kind."""
    if data.startswith(_PNG_SIGNATURE):
        return FileKind.PNG
    if data.startswith(_JPEG_SIGNATURE):
        return FileKind.JPEG
    if data[_DICOM_PREAMBLE_BYTES:].startswith(_DICOM_SIGNATURE):
        return FileKind.DICOM
    return None


def is_zip(data: bytes) -> bool:
    """Whether a file that starts so is a ZIP archive."""
    return data.startswith(_ZIP_SIGNATURES)
