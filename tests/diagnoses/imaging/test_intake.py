"""What is taken in, and with which words everything else is refused."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG2MPML, UID, DeflatedExplicitVRLittleEndian, JPEG2000Lossless

from diagnoses.imaging import MAX_PIXELS
from diagnoses.imaging.decode import decode
from diagnoses.imaging.errors import ImageError, ImageFault
from diagnoses.imaging.intake import MIN_EDGE, Inspected, inspect
from diagnoses.imaging.kinds import FileKind
from tests import pictures

_MAX_BYTES = 10_000_000
_PHANTOM = pictures.phantom(150, 120)
_PHANTOM_16 = _PHANTOM.astype(np.uint16) * 256


def _refusal(data: bytes, max_bytes: int = _MAX_BYTES) -> ImageError:
    with pytest.raises(ImageError) as caught:
        inspect(data, max_bytes)
    return caught.value


def _png_that_declares(width: int, height: int) -> bytes:
    """A PNG with intact checksums and hardly any pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _dicom_in(syntax: UID, **elements: Any) -> bytes:
    """A DICOM file that names a transfer syntax; the pixels of an encapsulated one are no picture."""
    dataset = dcmread(BytesIO(pictures.dicom(_PHANTOM, **elements)))
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax.is_encapsulated:
        dataset.PixelData = encapsulate([b"\xff\x4f\xff\x51" + b"\0" * 60])
        dataset["PixelData"].VR = "OB"
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def _jpeg_with_thumbnail() -> bytes:
    """A JPEG whose EXIF block holds a whole small JPEG, end marker included."""
    whole, thumbnail = pictures.jpeg(_PHANTOM), pictures.jpeg(_PHANTOM[:40, :40])
    exif = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + thumbnail
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + whole[2:]


def _png_without_pixels() -> bytes:
    """A header and an end, with intact checksums, over which Pillow raises an IndexError."""
    whole = pictures.png(_PHANTOM)
    return whole[:33] + whole[-12:]


def _animated_png() -> bytes:
    buffer = BytesIO()
    frames = [Image.fromarray(pictures.phantom(150, 120, seed)) for seed in (0, 1)]
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(pictures.png(_PHANTOM), FileKind.PNG, id="a PNG of 8 bits"),
        pytest.param(pictures.png(_PHANTOM_16), FileKind.PNG, id="a PNG of 16 bits"),
        pytest.param(pictures.png(np.dstack([_PHANTOM] * 3)), FileKind.PNG, id="a PNG in colour"),
        pytest.param(pictures.jpeg(_PHANTOM), FileKind.JPEG, id="a JPEG"),
        pytest.param(_jpeg_with_thumbnail(), FileKind.JPEG, id="a JPEG with a thumbnail in it"),
        pytest.param(pictures.dicom(_PHANTOM), FileKind.DICOM, id="a DICOM file of 8 bits"),
        pytest.param(pictures.dicom(_PHANTOM_16), FileKind.DICOM, id="a DICOM file of 16 bits"),
        pytest.param(pictures.dicom(_PHANTOM, Modality="CR"), FileKind.DICOM, id="a computed radiograph"),
        pytest.param(
            pictures.dicom(_PHANTOM, PhotometricInterpretation="MONOCHROME1"), FileKind.DICOM, id="a negative"
        ),
        pytest.param(pictures.dicom(_PHANTOM, NumberOfFrames=1), FileKind.DICOM, id="a DICOM file of one frame"),
    ],
)
def test_each_format_is_taken_with_its_size_and_hash(data: bytes, kind: FileKind) -> None:
    assert inspect(data, _MAX_BYTES) == Inspected(kind, 150, 120, len(data))


@pytest.mark.parametrize(
    ("data", "fault", "words"),
    [
        pytest.param(b"", ImageFault.EMPTY_FILE, "Export it again", id="an empty file"),
        pytest.param(b"GIF89a" + b"\0" * 300, ImageFault.UNSUPPORTED_TYPE, "Export the radiograph", id="a GIF"),
        pytest.param(
            pictures.png(_PHANTOM)[:-2000], ImageFault.DAMAGED, "cut short. Export it again", id="a PNG cut short"
        ),
        pytest.param(pictures.png(_PHANTOM)[:-12], ImageFault.DAMAGED, "Export it again", id="a PNG without its end"),
        pytest.param(_png_without_pixels(), ImageFault.DAMAGED, "Export it again", id="a PNG without pixels"),
        pytest.param(pictures.png(_PHANTOM)[:20], ImageFault.DAMAGED, "Export it again", id="a PNG's first bytes"),
        pytest.param(
            pictures.jpeg(_PHANTOM)[:-1000], ImageFault.DAMAGED, "cut short. Export it again", id="a JPEG cut short"
        ),
        pytest.param(
            pictures.jpeg(_PHANTOM)[:-2], ImageFault.DAMAGED, "Export it again", id="a JPEG without its end marker"
        ),
        pytest.param(
            _jpeg_with_thumbnail()[:-1000],
            ImageFault.DAMAGED,
            "Export it again",
            id="a JPEG cut short, though the thumbnail in it is whole",
        ),
        pytest.param(pictures.jpeg(_PHANTOM)[:30], ImageFault.DAMAGED, "Export it again", id="a JPEG's first bytes"),
        pytest.param(
            pictures.dicom(_PHANTOM)[:-1000], ImageFault.DAMAGED, "cut short. Export it again", id="DICOM cut short"
        ),
        pytest.param(pictures.dicom(_PHANTOM)[:150], ImageFault.DAMAGED, "Export it again", id="a DICOM file's start"),
        pytest.param(
            b"\0" * 128 + b"DICM" + bytes(range(256)) * 8, ImageFault.DAMAGED, "Export it again", id="DICM and garbage"
        ),
        pytest.param(b"\0" * 128 + b"DICM", ImageFault.DAMAGED, "Export it again", id="DICM and nothing"),
        pytest.param(
            pictures.dicom(_PHANTOM, Rows=240), ImageFault.DAMAGED, "Export it again", id="DICOM with half its pixels"
        ),
        pytest.param(
            pictures.dicom(_PHANTOM, BitsAllocated=None),
            ImageFault.DAMAGED,
            "Export it again",
            id="DICOM of no depth",
        ),
        pytest.param(
            pictures.png(_PHANTOM[:99]), ImageFault.TOO_SMALL, "Send the original, not a thumbnail", id="a low PNG"
        ),
        pytest.param(pictures.jpeg(_PHANTOM[:, :99]), ImageFault.TOO_SMALL, "Send the original", id="a narrow JPEG"),
        pytest.param(pictures.dicom(_PHANTOM[:50]), ImageFault.TOO_SMALL, "Send the original", id="a low DICOM file"),
        pytest.param(
            _png_that_declares(60_000, 60_000), ImageFault.TOO_MANY_PIXELS, "smaller", id="a PNG of 3600 megapixels"
        ),
        pytest.param(
            _dicom_in(JPEG2000Lossless, Rows=60_000, Columns=60_000),
            ImageFault.TOO_MANY_PIXELS,
            "smaller",
            id="a DICOM file of 3600 megapixels",
        ),
        pytest.param(_animated_png(), ImageFault.SEVERAL_FRAMES, "its own file", id="an animated PNG"),
        pytest.param(
            pictures.dicom(np.stack([_PHANTOM] * 2), NumberOfFrames=2, Rows=120, Columns=150),
            ImageFault.SEVERAL_FRAMES,
            "Send each radiograph as its own file",
            id="DICOM of several frames",
        ),
        pytest.param(
            pictures.dicom(_PHANTOM, Modality="CT"), ImageFault.NOT_A_RADIOGRAPH, "only radiographs are read", id="a CT"
        ),
        pytest.param(
            pictures.dicom(_PHANTOM, Modality=None), ImageFault.NOT_A_RADIOGRAPH, "modality unknown", id="no modality"
        ),
        pytest.param(
            pictures.dicom(_PHANTOM, PixelData=None), ImageFault.NO_PIXELS, "Send the image object", id="no pixels"
        ),
        pytest.param(
            pictures.dicom(
                np.dstack([_PHANTOM] * 3), PhotometricInterpretation="RGB", SamplesPerPixel=3, PlanarConfiguration=0
            ),
            ImageFault.UNSUPPORTED_ENCODING,
            "Send the original grey radiograph",
            id="DICOM in colour",
        ),
        pytest.param(
            pictures.dicom(_PHANTOM.astype(np.uint32)),
            ImageFault.UNSUPPORTED_ENCODING,
            "Export the radiograph with 8 to 16 bits",
            id="DICOM of 32 bits",
        ),
        pytest.param(
            _dicom_in(MPEG2MPML), ImageFault.UNSUPPORTED_ENCODING, "Export it uncompressed", id="a film in DICOM"
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_code_and_with_what_to_do(
    data: bytes, fault: ImageFault, words: str
) -> None:
    error = _refusal(data)
    assert error.fault is fault
    assert words in error.message


def test_a_file_over_the_limit_is_refused_and_one_at_the_limit_is_taken() -> None:
    data = pictures.png(_PHANTOM)
    error = _refusal(data, max_bytes=len(data) - 1)
    assert error.fault is ImageFault.TOO_LARGE
    assert "ask your administrator" in error.message
    assert inspect(data, max_bytes=len(data)).kind is FileKind.PNG


def test_a_picture_at_the_smallest_size_and_one_with_the_most_pixels_are_taken() -> None:
    smallest = inspect(pictures.png(_PHANTOM[:MIN_EDGE, :MIN_EDGE]), _MAX_BYTES)
    assert (smallest.width, smallest.height) == (MIN_EDGE, MIN_EDGE)
    assert inspect(_png_that_declares(MAX_PIXELS // 5000, 5000), _MAX_BYTES).width == MAX_PIXELS // 5000
    assert _refusal(_png_that_declares(MAX_PIXELS // 5000 + 1, 5000)).fault is ImageFault.TOO_MANY_PIXELS


def test_twelve_bit_extended_jpeg_is_refused_at_intake_since_no_decoder_here_reads_it() -> None:
    """Taken in, it would be called damaged later, and its sender would export it again, in vain."""
    dicom = _dicom_in(UID("1.2.840.10008.1.2.4.51"), BitsAllocated=16, BitsStored=12, HighBit=11)
    assert _refusal(dicom).fault is ImageFault.UNSUPPORTED_ENCODING


def test_a_deflated_data_set_is_refused_before_it_is_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    megabyte = 1024 * 1024
    bomb = _dicom_in(DeflatedExplicitVRLittleEndian, PixelData=bytes(64 * megabyte))
    assert len(bomb) < megabyte
    assert len(dcmread(BytesIO(bomb)).PixelData) == 64 * megabyte  # it does go off where it is read

    def inflate(*args: object, **kwargs: object) -> None:
        raise AssertionError("the data set was inflated")

    monkeypatch.setattr(zlib, "decompress", inflate)
    monkeypatch.setattr(zlib, "decompressobj", inflate)
    tracemalloc.start()
    try:
        error = _refusal(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert error.fault is ImageFault.UNSUPPORTED_ENCODING
    assert "Deflated" in error.message
    assert peak < 4 * megabyte


@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG"])
def test_a_turned_picture_has_the_size_that_it_is_shown_with(pillow_format: str) -> None:
    """A camera's EXIF says "turn me": decoding does so, and the stored size must agree, or the heatmap is askew."""
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees clockwise
    buffer = BytesIO()
    Image.fromarray(_PHANTOM).save(buffer, pillow_format, exif=exif)
    inspected = inspect(buffer.getvalue(), _MAX_BYTES)
    assert (inspected.height, inspected.width) == decode(buffer.getvalue()).pixels.shape


def _mutants(data: bytes, count: int) -> list[bytes]:
    """Copies with a few bytes changed, mostly in the header, every fifth one cut as well."""
    mutants = []
    for number in range(count):
        rng = np.random.default_rng(number)
        mutant = bytearray(data)
        reach = len(data) if number % 3 == 0 else min(len(data), 700)
        for place in rng.integers(4, reach, 4):
            mutant[place] = rng.integers(0, 256)
        mutants.append(bytes(mutant[: rng.integers(140, len(data))] if number % 5 == 0 else mutant))
    return mutants


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(pictures.png(_PHANTOM), id="PNG"),
        pytest.param(pictures.jpeg(_PHANTOM), id="JPEG"),
        pytest.param(pictures.dicom(_PHANTOM_16, WindowCenter=9000, WindowWidth=20000), id="DICOM"),
    ],
)
def test_whatever_bytes_come_the_only_error_is_the_one_for_their_sender(data: bytes) -> None:
    steps: list[Callable[[bytes], object]] = [lambda mutant: inspect(mutant, _MAX_BYTES), decode]
    refused = 0
    for mutant in _mutants(data, 150):
        for step in steps:
            try:
                step(mutant)
            except ImageError:
                refused += 1
    assert refused > 30
