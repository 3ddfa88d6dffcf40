"""From a file's bytes to grey levels: windows, tables, depths, encodings, and what damaged pixels do."""

import struct
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, Sequence, dcmread
from pydicom.uid import RLELossless

from diagnoses.imaging.decode import decode
from diagnoses.imaging.errors import ImageError, ImageFault
from tests import pictures

_RAMP = np.tile(np.arange(1024, dtype=np.uint16), (120, 1))
"""Stored values 0 to 1023, from left to right."""
_TEN_BITS: dict[str, Any] = {"BitsStored": 10, "HighBit": 9}
_PHANTOM = pictures.phantom(160, 130)


def _row(pixels: NDArray[Any], **elements: Any) -> NDArray[np.int64]:
    """The first row of a DICOM file's grey levels."""
    return np.asarray(decode(pictures.dicom(pixels, **elements)).pixels[0], np.int64)


def _damage(data: bytes) -> ImageFault:
    with pytest.raises(ImageError) as caught:
        decode(data)
    return caught.value.fault


def _lut(table: list[int], first: int, bits: int) -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(table), first, bits])
    item.add_new("LUTData", "US", table)
    return Sequence([item])


@cache
def _example(name: str) -> bytes:
    """A chest radiograph of NEMA's compression samples (MONOCHROME1, 15 bits of 16) in one of four encodings."""
    folder = Path(pytest.importorskip("data_store").__file__).parent
    return next(folder.rglob(f"RG1_{name}.dcm")).read_bytes()


def _transcoded(plain: bytes, syntax: str, folder: Path) -> bytes:
    """The same picture in another transfer syntax (gdcm's name for it)."""
    gdcm: Any = pytest.importorskip("gdcm")
    source, target = folder / "plain.dcm", folder / "encoded.dcm"
    source.write_bytes(plain)
    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return target.read_bytes()


# Pictures


@pytest.mark.parametrize("encode", [pictures.png, pictures.dicom])
def test_eight_bit_grey_levels_come_back_as_they_were(encode: Any) -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (120, 1))
    np.testing.assert_array_equal(decode(encode(ramp)).pixels, ramp)


def test_a_jpeg_comes_back_within_its_quality() -> None:
    difference = decode(pictures.jpeg(_PHANTOM, quality=95)).pixels.astype(int) - _PHANTOM
    assert np.abs(difference).mean() < 3


def test_a_colour_picture_of_grey_is_that_grey() -> None:
    np.testing.assert_array_equal(decode(pictures.png(np.dstack([_PHANTOM] * 3))).pixels, _PHANTOM)


def test_a_16_bit_png_is_stretched_over_its_own_range() -> None:
    twelve_bits_at_an_offset = _RAMP * 4 + 7000
    levels = decode(pictures.png(twelve_bits_at_an_offset)).pixels
    assert levels.dtype == np.uint8
    np.testing.assert_allclose(levels[0].astype(float), np.linspace(0, 255, 1024), atol=0.51)


def test_a_picture_turned_by_its_exif_is_decoded_upright() -> None:
    """Orientation 6 says: turn by 90 degrees clockwise. What was at the top left is then at the top right."""
    marked = np.full((100, 160), 200, np.uint8)
    marked[:30, :30] = 0
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = BytesIO()
    Image.fromarray(marked).save(buffer, "JPEG", quality=95, exif=exif)
    levels = decode(buffer.getvalue()).pixels
    assert levels.shape == (160, 100)
    assert levels[:25, 75:].mean() < 20
    assert levels[:25, :25].mean() > 180


# From stored values to grey levels


def test_a_monochrome1_picture_is_inverted_so_that_bone_is_bright() -> None:
    positive = _row(_RAMP, **_TEN_BITS)
    negative = _row(_RAMP, **_TEN_BITS, PhotometricInterpretation="MONOCHROME1")
    assert positive[0] == 0
    assert positive[-1] == 255
    np.testing.assert_array_equal(negative, 255 - positive)


def test_a_window_clips_what_lies_outside_it() -> None:
    levels = _row(_RAMP, **_TEN_BITS, WindowCenter=512, WindowWidth=256)
    assert set(levels[:385]) == {0}
    assert set(levels[640:]) == {255}
    assert levels[512] == pytest.approx(128, abs=1)
    assert (np.diff(levels[385:640]) >= 0).all()


def test_a_window_wider_than_the_content_leaves_it_as_flat_as_its_author_wanted_it() -> None:
    """A window says what is black and what is white; only a file without one is stretched over its own range."""
    levels = _row(_RAMP // 2 + 256, **_TEN_BITS, WindowCenter=512, WindowWidth=1024)
    assert levels[0] == pytest.approx(64, abs=1)
    assert levels[-1] == pytest.approx(191, abs=1)


def test_of_several_windows_the_first_counts() -> None:
    only = _row(_RAMP, **_TEN_BITS, WindowCenter=512, WindowWidth=256)
    first = _row(_RAMP, **_TEN_BITS, WindowCenter=[512, 100], WindowWidth=[256, 50])
    np.testing.assert_array_equal(first, only)


def test_slope_and_intercept_come_before_the_window() -> None:
    levels = _row(
        _RAMP, **_TEN_BITS, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=0, WindowWidth=500, RescaleType="US"
    )
    assert set(levels[:376]) == {0}  # 2 * 375 - 1000 = -250
    assert set(levels[626:]) == {255}
    assert levels[500] == pytest.approx(128, abs=1)


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 512, "WindowWidth": 1024}])
def test_a_negative_slope_turns_the_picture_with_and_without_a_window(window: dict[str, int]) -> None:
    levels = _row(_RAMP, **_TEN_BITS, RescaleSlope=-1, RescaleIntercept=1023, **window)
    assert levels[0] == 255
    assert levels[-1] == 0


def test_a_table_of_interest_is_applied_and_comes_before_a_window() -> None:
    table = [1023 - value for value in range(1024)]
    levels = _row(_RAMP, **_TEN_BITS, VOILUTSequence=_lut(table, 0, 10), WindowCenter=100, WindowWidth=50)
    np.testing.assert_allclose(levels, np.linspace(255, 0, 1024), atol=0.51)


@pytest.mark.filterwarnings("ignore:Applying a VOI LUT on a float input array:UserWarning")
def test_a_table_of_interest_is_applied_after_slope_and_intercept() -> None:
    table = [1023 - value for value in range(1024)]
    levels = _row(_RAMP, **_TEN_BITS, VOILUTSequence=_lut(table, 0, 10), RescaleSlope=1, RescaleIntercept=0)
    np.testing.assert_allclose(levels, np.linspace(255, 0, 1024), atol=0.51)


def test_a_table_from_ten_bits_to_eight_keeps_their_order() -> None:
    levels = _row(_RAMP, **_TEN_BITS, VOILUTSequence=_lut([value // 4 for value in range(1024)], 0, 8))
    np.testing.assert_array_equal(levels, np.arange(1024) // 4)


def test_twelve_bits_in_sixteen_give_what_all_sixteen_give() -> None:
    np.testing.assert_array_equal(
        _row(_RAMP * 4, BitsStored=12, HighBit=11), _row(_RAMP * 64, BitsStored=16, HighBit=15)
    )


@pytest.mark.parametrize("windowed", [False, True])
def test_signed_pixels_give_what_unsigned_ones_give(windowed: bool) -> None:
    signed_window = {"WindowCenter": 0, "WindowWidth": 400} if windowed else {}
    window = {"WindowCenter": 512, "WindowWidth": 400} if windowed else {}
    signed = _row(_RAMP.astype(np.int16) - 512, **_TEN_BITS, PixelRepresentation=1, **signed_window)
    np.testing.assert_array_equal(signed, _row(_RAMP, **_TEN_BITS, **window))


@pytest.mark.parametrize("window", [{}, {"WindowCenter": "", "WindowWidth": ""}], ids=["no window", "an empty window"])
def test_a_file_without_a_window_is_stretched_past_a_few_odd_pixels(window: dict[str, str]) -> None:
    chest = _PHANTOM.astype(np.uint16) + 300
    chest[0, :4], chest[1, :4] = 4095, 0  # a burnt-in mark and a dead line
    levels = decode(pictures.dicom(chest, BitsStored=12, HighBit=11, **window)).pixels
    assert levels[10:, :].max() - levels[10:, :].min() > 240
    assert levels[0, 0] == 255
    assert levels[1, 0] == 0


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("window", [{}, {"WindowCenter": 2000, "WindowWidth": 4000}])
def test_a_constant_picture_gives_a_constant_picture(photometric: str, window: dict[str, int]) -> None:
    flat = np.full((120, 120), 777, np.uint16)
    assert len(np.unique(_row(flat, PhotometricInterpretation=photometric, **window))) == 1
    assert len(np.unique(decode(pictures.png(flat)).pixels)) == 1


# Encodings


def test_the_lossless_encodings_of_a_real_radiograph_give_identical_grey_levels() -> None:
    """UNCR holds the stored values of J2KR (reversible), UNCI those of J2KI (irreversible, unpacked again)."""
    for plain, encoded in (("UNCR", "J2KR"), ("UNCI", "J2KI")):
        levels = decode(_example(plain)).pixels
        assert levels.shape == (1955, 1841)
        np.testing.assert_array_equal(levels, decode(_example(encoded)).pixels)


def test_the_lossy_encoding_of_a_real_radiograph_is_close_and_not_the_same() -> None:
    original, lossy = (decode(_example(name)).pixels.astype(int) for name in ("UNCR", "J2KI"))
    assert 0 < np.abs(original - lossy).mean() < 2


@pytest.mark.parametrize(
    "syntax",
    [
        "ImplicitVRLittleEndian",
        "ExplicitVRBigEndian",
        "JPEGLosslessProcess14",
        "JPEGLosslessProcess14_1",
        "JPEGLSLossless",
        "JPEG2000Lossless",
        "RLELossless",
    ],
)
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_each_lossless_transfer_syntax_gives_the_same_pixels(syntax: str, bits: int, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 2**bits, (130, 160))
    chest = noise.astype(np.uint8 if bits == 8 else np.uint16)
    plain = pictures.dicom(chest, BitsStored=bits, HighBit=bits - 1)
    encoded = _transcoded(plain, syntax, tmp_path)
    assert dcmread(BytesIO(encoded)).file_meta.TransferSyntaxUID != dcmread(BytesIO(plain)).file_meta.TransferSyntaxUID
    np.testing.assert_array_equal(decode(encoded).pixels, decode(plain).pixels)


def test_run_lengths_written_by_pydicom_give_the_same_pixels() -> None:
    plain = pictures.dicom(_PHANTOM.astype(np.uint16) * 16, BitsStored=12, HighBit=11)
    dataset = dcmread(BytesIO(plain))
    dataset.compress(RLELossless)
    buffer = BytesIO()
    dataset.save_as(buffer)
    np.testing.assert_array_equal(decode(buffer.getvalue()).pixels, decode(plain).pixels)


def test_baseline_jpeg_in_dicom_is_close(tmp_path: Path) -> None:
    plain = pictures.dicom(_PHANTOM, WindowCenter=128, WindowWidth=256)
    levels = decode(_transcoded(plain, "JPEGBaselineProcess1", tmp_path)).pixels.astype(int)
    assert np.abs(levels - decode(plain).pixels).mean() < 3


# Damage


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(pictures.png(_PHANTOM)[:-3000], id="a PNG cut short"),
        pytest.param(pictures.jpeg(_PHANTOM)[:100], id="a JPEG cut before its picture"),
        pytest.param(pictures.jpeg(_PHANTOM)[:-2000], id="a JPEG cut short"),
        pytest.param(pictures.dicom(_PHANTOM)[:-3000], id="DICOM cut short"),
        pytest.param(pictures.dicom(_PHANTOM, BitsStored=None), id="DICOM that does not say its depth"),
    ],
)
def test_what_is_not_whole_is_refused(data: bytes) -> None:
    assert _damage(data) is (ImageFault.DAMAGED if data else ImageFault.UNSUPPORTED_TYPE)


def test_a_picture_larger_than_the_decoder_takes_is_refused_like_any_other() -> None:
    huge = bytearray(pictures.png(_PHANTOM))
    huge[16:24] = (60_000).to_bytes(4, "big") * 2  # the width and height that it declares
    huge[29:33] = crc32(huge[12:29]).to_bytes(4, "big")
    assert _damage(bytes(huge)) is ImageFault.DAMAGED


_DECODE_EACH = """
import sys
from pathlib import Path
from diagnoses.imaging.decode import decode
from diagnoses.imaging.errors import ImageError
from diagnoses.imaging.intake import inspect  # as in the web, where it lifts Pillow's own bound
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        decode(path.read_bytes())
        print("read")
    except ImageError as error:
        print(error.fault.value)
"""

_PRINT_PEAK = """
from resource import RUSAGE_CHILDREN, getrusage
own = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print(max(int(own), getrusage(RUSAGE_CHILDREN).ru_maxrss))
"""
"""Kilobytes, of the process or of one that it decoded in."""


@pytest.mark.parametrize(
    ("syntax", "bits", "mutants"),
    [
        ("JPEGBaselineProcess1", 8, range(40)),
        ("RLELossless", 12, range(40)),
        # Each of these takes a process; the last ones are some over which a decoder ended its own, or filled 8 GB.
        ("JPEG2000Lossless", 12, (0, 1, 3, 4, 31)),
        ("JPEGLosslessProcess14_1", 12, (0, 1, 3, 163, 390)),
        ("JPEGLSLossless", 12, (0, 1, 3, 163, 534)),
    ],
)
def test_a_damaged_codestream_is_an_error_for_its_sender_and_never_the_end_of_the_process(
    syntax: str, bits: int, mutants: Iterable[int], tmp_path: Path
) -> None:
    """In a process of its own: a decoder written in C++ can end the one that it runs in."""
    chest = _PHANTOM if bits == 8 else _PHANTOM.astype(np.uint16) * 16
    encoded = _transcoded(pictures.dicom(chest, BitsStored=bits, HighBit=bits - 1), syntax, tmp_path)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for number in mutants:
        (damaged / f"{number:03}.dcm").write_bytes(_with_damaged_pixels(encoded, number))
    names = sorted(path.name for path in damaged.iterdir())
    process = subprocess.run([sys.executable, "-c", _DECODE_EACH, damaged], capture_output=True, text=True)
    outcomes = process.stdout.split()
    assert process.returncode == 0, f"{names[len(outcomes)]} ended the process: {process.stderr[-300:]}"
    assert len(outcomes) == len(names)
    assert set(outcomes) <= {"read", "damaged"}
    assert outcomes.count("damaged") >= 2


@pytest.mark.parametrize(
    ("syntax", "marker", "places", "layout", "megabytes"),
    [
        pytest.param("JPEGBaselineProcess1", b"\xff\xc0", [5], ">2H", 300, id="JPEG, in its frame header"),
        pytest.param("JPEG2000Lossless", b"\xff\x51", [6, 22], ">2I", 2200, id="JPEG 2000, in a process with bounds"),
    ],
)
def test_a_codestream_that_declares_more_than_its_header_is_refused_without_room_made_for_it(
    syntax: str, marker: bytes, places: list[int], layout: str, megabytes: int, tmp_path: Path
) -> None:
    """Its header passed intake; to believe the codestream then would take gigabytes from everybody."""
    encoded = bytearray(_transcoded(pictures.dicom(_PHANTOM), syntax, tmp_path))
    start = encoded.index(marker, encoded.rfind(b"\xe0\x7f\x10\x00"))
    for place in places:
        struct.pack_into(layout, encoded, start + place, 60_000, 60_000)
    bomb = tmp_path / "bomb"
    bomb.mkdir()
    (bomb / "1.dcm").write_bytes(encoded)
    child = _DECODE_EACH + _PRINT_PEAK
    process = subprocess.run([sys.executable, "-c", child, bomb], capture_output=True, text=True)
    outcome, peak_kilobytes = process.stdout.split()
    assert outcome == "damaged"
    assert int(peak_kilobytes) < megabytes * 1000


def _with_damaged_pixels(encoded: bytes, number: int) -> bytes:
    rng = np.random.default_rng(number)
    start = encoded.rfind(b"\xe0\x7f\x10\x00") + 30
    mutant = bytearray(encoded)
    if number % 4 == 0:
        mutant[start + 10 : start + 170] = rng.bytes(160)
    elif number % 4 == 1:
        cut = int(rng.integers(start, len(mutant) - 8))
        mutant[cut:-8] = bytes(len(mutant) - 8 - cut)
    else:
        for place in rng.integers(start, start + 170, 1 + number % 4):
            mutant[place] = rng.integers(0, 256)
    return bytes(mutant)
