"""What a browser gets to see is drawn anew and never what somebody sent."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from diagnoses.imaging.display import MAX_EDGE, display_jpeg
from diagnoses.imaging.errors import ImageError, ImageFault
from tests import pictures

_PHANTOM = pictures.phantom(200, 150)


def _shown(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(display_jpeg(data)), formats=["JPEG"])
    picture.load()
    return picture


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(pictures.png(_PHANTOM), id="PNG"),
        pytest.param(pictures.jpeg(_PHANTOM, quality=98), id="JPEG"),
        pytest.param(pictures.dicom(_PHANTOM, WindowCenter=128, WindowWidth=256), id="DICOM"),
        pytest.param(pictures.png(np.dstack([_PHANTOM] * 3)), id="a PNG in colour"),
    ],
)
def test_every_kind_is_shown_as_a_grey_jpeg_of_the_same_picture(data: bytes) -> None:
    shown = _shown(data)
    assert shown.mode == "L"
    assert shown.size == (200, 150)
    grey = np.asarray(shown).astype(int)
    assert np.corrcoef(grey.ravel(), _PHANTOM.ravel())[0, 1] > 0.98


def test_a_jpeg_is_encoded_anew_without_exif_and_without_anything_behind_its_end() -> None:
    exif = Image.Exif()
    exif[0x010E] = "DOE^JANE born 1970"
    buffer = BytesIO()
    Image.fromarray(_PHANTOM).save(buffer, "JPEG", exif=exif, comment=b"DOE^JANE")
    sent = buffer.getvalue() + b"<script>alert(1)</script>"
    shown = display_jpeg(sent)
    assert shown != sent
    for trace in (b"Exif", b"DOE", b"<script"):
        assert trace in sent
        assert trace not in shown


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (3000, 1500, (MAX_EDGE, 1024)),
        (1500, 3000, (1024, MAX_EDGE)),
        (MAX_EDGE, 100, (MAX_EDGE, 100)),
        (20_480, 101, (MAX_EDGE, 10)),
    ],
)
def test_a_large_picture_is_shrunk_to_the_longest_edge_that_is_shown(
    width: int, height: int, expected: tuple[int, int]
) -> None:
    assert _shown(pictures.png(np.full((height, width), 90, np.uint8))).size == expected


def test_shrinking_averages_instead_of_skipping_pixels() -> None:
    checkerboard = (np.indices((3000, 3000)).sum(axis=0) % 2 * 255).astype(np.uint8)
    levels = np.asarray(_shown(pictures.png(checkerboard))).astype(int)
    assert levels.mean() == pytest.approx(127.5, abs=2)
    assert levels[200:-200, 200:-200].std() < 80  # skipping gives black and white alone, 127


def test_a_damaged_file_cannot_be_shown() -> None:
    with pytest.raises(ImageError) as caught:
        display_jpeg(pictures.png(_PHANTOM)[:-2000])
    assert caught.value.fault is ImageFault.DAMAGED
