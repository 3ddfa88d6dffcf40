"""What kind of file it is, judged from its first bytes and never from its name."""

from enum import StrEnum

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_DICOM_PREAMBLE_BYTES = 128
_DICOM_SIGNATURE = b"DICM"


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
