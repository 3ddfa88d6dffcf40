"""A file is what its first bytes say, whatever its name."""

from io import BytesIO

import pytest
from PIL import Image

from diagnoses.imaging.kinds import FileKind, kind_of
from tests import pictures

_PHANTOM = pictures.phantom(120, 110)


def _saved_as(pillow_format: str) -> bytes:
    buffer = BytesIO()
    Image.fromarray(_PHANTOM).save(buffer, pillow_format)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(pictures.png(_PHANTOM), FileKind.PNG, id="PNG"),
        pytest.param(pictures.jpeg(_PHANTOM), FileKind.JPEG, id="JPEG"),
        pytest.param(pictures.dicom(_PHANTOM), FileKind.DICOM, id="DICOM"),
    ],
)
def test_each_kind_is_known_by_its_first_132_bytes(data: bytes, kind: FileKind) -> None:
    assert kind_of(data) is kind
    assert kind_of(data[:132]) is kind


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing at all"),
        pytest.param(b"\x89PNG", id="the first half of a PNG's signature"),
        pytest.param(b"\x89PNG\n\x1a\n" + b"\0" * 200, id="a PNG sent as text, its line ends changed"),
        pytest.param(b"DICM" + b"\0" * 200, id="DICM without the 128 bytes before it"),
        pytest.param(b"\0" * 128 + b"DICOM"[:3], id="a DICOM file cut before the end of its signature"),
        pytest.param(b"\0" * 129 + b"DICM" + b"\0" * 200, id="DICM one byte late"),
        pytest.param(_saved_as("GIF"), id="GIF"),
        pytest.param(_saved_as("BMP"), id="BMP"),
        pytest.param(_saved_as("TIFF"), id="TIFF"),
        pytest.param(_saved_as("WEBP"), id="WebP"),
        pytest.param(_saved_as("JPEG2000"), id="a bare JPEG 2000"),
        pytest.param(b"%PDF-1.7" + b"\0" * 200, id="PDF"),
        pytest.param(b"PK\x03\x04" + b"\0" * 200, id="ZIP"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>" + b" " * 200, id="SVG"),
        pytest.param(b" " + pictures.png(_PHANTOM), id="a PNG after a blank"),
    ],
)
def test_anything_else_is_of_no_kind(data: bytes) -> None:
    assert kind_of(data) is None
