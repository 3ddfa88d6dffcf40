"""PNG and JPEG files that are built to do harm: bombs, tails, files of two kinds."""

import os
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from diagnoses.imaging import MAX_PIXELS
from diagnoses.imaging.errors import ImageError, ImageFault
from diagnoses.imaging.intake import inspect, to_keep
from tests import pictures
from tests.zips import packed

PIXELS = pictures.phantom(150, 120)
PNG = pictures.png(PIXELS)
JPEG = pictures.jpeg(PIXELS)
MAX_BYTES = 100_000_000
ROOT = Path(__file__).parents[3]
ZIP = packed({"malware.exe": b"MZ"})


def refusal(data: bytes) -> ImageFault:
    with pytest.raises(ImageError) as raised:
        inspect(data, MAX_BYTES)
    return raised.value.fault


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_with(*chunks: bytes) -> bytes:
    """A PNG with these right behind its header."""
    return PNG[:33] + b"".join(chunks) + PNG[33:]


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg_with(*segments: bytes) -> bytes:
    return JPEG[:2] + b"".join(segments) + JPEG[2:]


def frame(width: int, height: int, components: int = 1, precision: int = 8) -> bytes:
    return struct.pack(">BHHB", precision, height, width, components) + b"\1\x11\0" * components


@pytest.mark.parametrize("whole", [PNG, JPEG], ids=["PNG", "JPEG"])
@pytest.mark.parametrize("tail", [b"\0" * 100, b"<script>alert(1)</script>", JPEG, PNG], ids=range(4))
def test_what_comes_after_the_end_of_a_picture_is_not_kept(whole: bytes, tail: bytes) -> None:
    inspected = inspect(whole + tail, MAX_BYTES)
    assert inspected.length == len(whole)
    assert to_keep(whole + tail, inspected) == whole


@pytest.mark.parametrize("whole", [PNG, JPEG, pictures.dicom(PIXELS)], ids=["PNG", "JPEG", "DICOM"])
@pytest.mark.parametrize("comment", [b"", b"x" * 60_000])
def test_a_picture_that_is_a_zip_at_its_end_is_refused(whole: bytes, comment: bytes) -> None:
    assert refusal(whole + packed({"malware.exe": b"MZ"}, comment=comment)) is ImageFault.TWO_KINDS


def test_a_picture_that_is_a_zip_followed_by_a_little_is_refused() -> None:
    assert refusal(PNG + ZIP + b"\0" * 50) is ImageFault.TWO_KINDS


def test_a_png_with_a_zip_in_a_chunk_before_its_end_is_refused() -> None:
    assert refusal(PNG[:-12] + chunk(b"zaPp", ZIP) + PNG[-12:]) is ImageFault.TWO_KINDS


def test_a_jpeg_with_a_zip_in_a_comment_is_refused() -> None:
    assert refusal(jpeg_with(segment(0xFE, ZIP))) is ImageFault.TWO_KINDS


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_png_whose_text_or_profile_is_a_bomb_is_taken_without_setting_it_off(name: bytes) -> None:
    bomb = zlib.compress(bytes(256 * 1024 * 1024), 9)
    body = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"k\0\0"}[name] + bomb
    data = png_with(chunk(name, body))
    tracemalloc.start()
    try:
        assert inspect(data, MAX_BYTES).width == 150
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1024 * 1024


def test_a_png_of_countless_chunks_is_refused_soon() -> None:
    data = png_with(chunk(b"teXt", b"") * 200_000)
    began = time.monotonic()
    assert refusal(data) is ImageFault.TOO_COMPLEX
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "data",
    [
        png_with(PNG[8:33]),
        PNG[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 150, 120, 7, 0, 0, 0, 0)) + PNG[33:],
        PNG[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 150, 120, 8, 5, 0, 0, 0)) + PNG[33:],
        PNG[:33] + PNG[-12:],
        png_with(struct.pack(">I", 0xFFFFFFFF) + b"tEXt"),
        png_with(chunk(b"tEXt", b"a\0b")[:-1] + b"?"),
    ],
    ids=["two headers", "7 bits", "no such colour", "no pixels", "an endless chunk", "a wrong checksum"],
)
def test_a_png_that_no_program_writes_is_refused(data: bytes) -> None:
    assert refusal(data) is ImageFault.DAMAGED


def test_an_interlaced_png_is_taken() -> None:
    header = PNG[:8] + chunk(b"IHDR", PNG[16:28] + b"\1") + PNG[33:]
    assert inspect(header, MAX_BYTES).height == 120


def test_a_jpeg_of_too_many_pixels_is_refused_by_its_header() -> None:
    place = JPEG.index(b"\xff\xc0")
    data = JPEG[: place + 5] + struct.pack(">HH", 65_000, 65_000) + JPEG[place + 9 :]
    assert refusal(data) is ImageFault.TOO_MANY_PIXELS


def test_a_telephones_second_picture_is_not_kept() -> None:
    buffer = BytesIO()
    first, second = Image.fromarray(PIXELS), Image.fromarray(PIXELS[::-1].copy())
    first.save(buffer, "MPO", save_all=True, append_images=[second])
    data = buffer.getvalue()
    inspected = inspect(data, MAX_BYTES)
    kept = to_keep(data, inspected)
    assert len(kept) < len(data) * 0.7
    assert Image.open(BytesIO(kept)).size == (150, 120)


def test_a_jpeg_in_printing_colours_is_refused() -> None:
    buffer = BytesIO()
    Image.fromarray(PIXELS).convert("CMYK").save(buffer, "JPEG")
    assert refusal(buffer.getvalue()) is ImageFault.UNSUPPORTED_ENCODING


@pytest.mark.parametrize("kind", [0xC3, 0xC5, 0xC9, 0xCB])
def test_a_jpeg_in_a_code_that_no_decoder_here_reads_is_refused(kind: int) -> None:
    assert refusal(JPEG.replace(b"\xff\xc0", bytes([0xFF, kind]))) is ImageFault.UNSUPPORTED_ENCODING


def test_a_jpeg_with_two_sizes_is_refused() -> None:
    assert refusal(jpeg_with(segment(0xC0, frame(150, 120)))) is ImageFault.DAMAGED


@pytest.mark.parametrize(
    "data",
    [
        jpeg_with(segment(0xC0, frame(0, 120))),
        jpeg_with(segment(0xC0, frame(150, 0))),
        jpeg_with(segment(0xC0, b"\x08\0")),
        jpeg_with(b"\xff\xe1\0\1"),
        jpeg_with(b"\xff\xd8"),
        JPEG[:2] + b"\xff\xd9",
        jpeg_with(segment(0xFE, b"") + b"no marker"),
    ],
    ids=["no width", "no height", "a short header", "a short segment", "a second start", "nothing", "no marker"],
)
def test_a_jpeg_that_no_program_writes_is_refused(data: bytes) -> None:
    assert refusal(data) is ImageFault.DAMAGED


def test_a_jpeg_of_countless_scans_is_refused() -> None:
    buffer = BytesIO()
    Image.fromarray(PIXELS).save(buffer, "JPEG", progressive=True)
    progressive = buffer.getvalue()
    assert inspect(progressive, MAX_BYTES).width == 150
    last = progressive.rindex(b"\xff\xda")
    assert refusal(progressive[:-2] + progressive[last:-2] * 100 + b"\xff\xd9") is ImageFault.TOO_COMPLEX


def test_a_jpeg_of_countless_segments_is_refused() -> None:
    assert refusal(jpeg_with(segment(0xE1, b"Exif\0\0x") * 3000)) is ImageFault.TOO_COMPLEX


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\0", b"\xff\xd0"], ids=["FF", "FF 00", "restarts"])
def test_a_jpeg_of_nothing_but_filling_is_refused_soon(filler: bytes) -> None:
    start = JPEG[: JPEG.index(b"\xff\xda") + 14]
    began = time.monotonic()
    assert refusal(start + filler * (20_000_000 // len(filler))) is ImageFault.DAMAGED
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "tiff",
    [
        b"",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff" + b"\0" * 100,
        b"XX*\0\x08\0\0\0",
    ],
    ids=["empty", "leads away", "countless", "countless nothings", "of no order"],
)
def test_an_exif_block_that_leads_nowhere_turns_nothing(tiff: bytes) -> None:
    inspected = inspect(jpeg_with(segment(0xE1, b"Exif\0\0" + tiff)), MAX_BYTES)
    assert (inspected.width, inspected.height) == (150, 120)


@pytest.mark.parametrize("first", ["diagnoses.imaging.decode", "workers.inference.quality", "workers.training.stress"])
def test_opencv_refuses_a_bomb_by_its_header_in_every_process_of_ours(first: str) -> None:
    code = f"""
import {first}
import cv2, numpy, struct, zlib
def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
def png(width):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, 5000, 8, 0, 0, 0, 0))
    data = bytes([137, 80, 78, 71, 13, 10, 26, 10]) + header + chunk(b"IDAT", zlib.compress(bytes(64)))
    return numpy.frombuffer(data + chunk(b"IEND", b""), numpy.uint8)
try:
    cv2.imdecode(png({MAX_PIXELS // 5000 + 1}), cv2.IMREAD_GRAYSCALE)
except cv2.error as error:
    print("refused" if "CV_IO_MAX_IMAGE_PIXELS" in str(error) else error)
"""
    environment = {**os.environ, "OPENCV_IO_MAX_IMAGE_PIXELS": str(2**40)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "refused", done.stdout + done.stderr[-500:]
