"""DICOM files that are built to do harm: foreign preambles, odd file meta, elements without number or end."""

import struct
import time
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from diagnoses.imaging import elements
from diagnoses.imaging.elements import MOST_ELEMENTS, MOST_NESTED, check_elements, read_meta
from diagnoses.imaging.errors import ImageError, ImageFault
from diagnoses.imaging.intake import inspect, to_keep
from tests import pictures

PIXELS = pictures.phantom(150, 120)
DICOM = pictures.dicom(PIXELS)
META_END = read_meta(DICOM).end
MAX_BYTES = 100_000_000
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = (struct.pack("<HH", 0xFFFE, number) for number in (0xE000, 0xE00D, 0xE0DD))
FOREIGN = {
    "a program": b"MZ\x90\0",
    "a program of Linux": b"\x7fELF\2\1\1",
    "a program of macOS": b"\xcf\xfa\xed\xfe",
    "a class of Java": b"\xca\xfe\xba\xbe\0\0",
    "a ZIP": b"PK\3\4",
    "a TIFF": b"II*\0\x10\0\0\0",
    "a TIFF of the other order": b"MM\0*\0\0\0\x10",
    "a PDF": b"%PDF-1.7",
    "a script": b"#!/bin/sh\n",
    "a page": b"<html><script>",
    "a page after a blank": b"\r\n <!DOCTYPE html>",
    "a page after a mark": b"\xef\xbb\xbf<ScRiPt>",
    "a drawing": b"<svg onload=x>",
    "a PNG": b"\x89PNG\r\n\x1a\n",
    "a JPEG": b"\xff\xd8\xff\xe0",
    "a film": b"RIFF\0\0\0\0AVI ",
}


def refusal(data: bytes) -> ImageFault:
    with pytest.raises(ImageError) as raised:
        inspect(data, MAX_BYTES)
    return raised.value.fault


def taken(data: bytes) -> bool:
    return inspect(data, MAX_BYTES).width == 150


def with_preamble(preamble: bytes) -> bytes:
    return preamble.ljust(128, b"\0") + DICOM[128:]


def element(group: int, number: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    if vr in (b"OB", b"OW", b"UN", b"SQ", b"UT"):
        return struct.pack("<HH2sHI", group, number, vr, 0, size) + value
    return struct.pack("<HH2sH", group, number, vr, size) + value


def with_meta(*parts: bytes) -> bytes:
    return bytes(128) + b"DICM" + b"".join(parts) + DICOM[META_END:]


def syntax(uid: str = ExplicitVRLittleEndian, vr: bytes = b"UI") -> bytes:
    return element(2, 0x10, vr, uid.encode() + b"\0" * (len(uid) % 2))


def with_elements(start: bytes) -> bytes:
    """A DICOM file whose data set begins with these."""
    return DICOM[:META_END] + start + DICOM[META_END:]


@pytest.mark.parametrize("start", FOREIGN.values(), ids=FOREIGN)
def test_a_preamble_that_makes_a_file_of_another_kind_is_refused(start: bytes) -> None:
    assert refusal(with_preamble(start)) in (ImageFault.TWO_KINDS, ImageFault.DAMAGED)
    if start[:3] not in (b"\x89PN", b"\xff\xd8\xff"):
        assert refusal(with_preamble(start)) is ImageFault.TWO_KINDS


@pytest.mark.parametrize("preamble", [b"made by the ward's own program", b"\1" * 128], ids=["words", "ones"])
def test_any_other_preamble_is_taken_and_not_kept(preamble: bytes) -> None:
    data = with_preamble(preamble)
    kept = to_keep(data, inspect(data, MAX_BYTES))
    assert kept == DICOM
    assert to_keep(DICOM, inspect(DICOM, MAX_BYTES)) is DICOM


def test_a_file_meta_without_a_length_is_taken() -> None:
    assert taken(with_meta(syntax()))


@pytest.mark.parametrize(
    "meta",
    [
        [element(2, 0, b"UL", struct.pack("<I", 2**31)), syntax()],
        [element(2, 0, b"UL", b"\0\0"), syntax()],
        [syntax(), syntax(ImplicitVRLittleEndian)],
        [syntax(), element(2, 2, b"UI", b"1.2\0")],
        [syntax(vr=b"OB")],
        [syntax(vr=b"UN")],
        [syntax(vr=b"LO")],
        [syntax("1.2." + "3" * 80)],
        [element(2, 0x10, b"UI", b"\xff\xfe")],
        [element(2, 2, b"UI", b"1.2\0")],
        [syntax(), element(2, 0x102, b"OB", b"x" * 65_000), element(2, 0x103, b"OB", b"x" * 65_000)],
        [syntax(), element(2, 0x102, b"OB", b"", length=2**31)],
        [syntax(), element(2, 0x102, b"OB", b"", length=UNDEFINED)],
        [struct.pack("<HHI", 2, 0x10, 20), ExplicitVRLittleEndian.encode() + b"\0"],
        [],
    ],
    ids=[
        "a huge length",
        "a short length",
        "two transfer syntaxes",
        "out of order",
        "a syntax of bytes",
        "a syntax unknown",
        "a syntax of text",
        "a syntax too long",
        "a syntax of no letters",
        "no syntax",
        "too long",
        "an element longer than the file",
        "an element without end",
        "implicit",
        "nothing",
    ],
)
def test_an_odd_file_meta_is_refused_before_a_parser_reads_it(meta: list[bytes], monkeypatch: Any) -> None:
    monkeypatch.setattr("diagnoses.imaging.dicom.dcmread", None)
    assert refusal(with_meta(*meta)) is ImageFault.DAMAGED


def test_a_second_transfer_syntax_cannot_have_a_data_set_inflated() -> None:
    assert refusal(with_meta(syntax(), syntax(DeflatedExplicitVRLittleEndian))) is ImageFault.DAMAGED
    assert refusal(with_meta(syntax(DeflatedExplicitVRLittleEndian))) is ImageFault.UNSUPPORTED_ENCODING


def nested(depth: int, length: int = UNDEFINED) -> bytes:
    """Sequences within each other, each with an end or a length."""
    inner = element(8, 0x60, b"CS", b"DX")
    for _ in range(depth):
        if length == UNDEFINED:
            item = ITEM + struct.pack("<I", UNDEFINED) + inner + ITEM_END + bytes(4)
            inner = element(8, 0x1140, b"SQ", item + SEQUENCE_END + bytes(4), length=UNDEFINED)
        else:
            inner = element(8, 0x1140, b"SQ", ITEM + struct.pack("<I", len(inner)) + inner)
    return inner


@pytest.mark.parametrize("length", [UNDEFINED, 0], ids=["without length", "with length"])
def test_sequences_nested_too_deeply_are_refused_and_a_few_are_taken(length: int) -> None:
    assert taken(with_elements(nested(MOST_NESTED, length)))
    assert refusal(with_elements(nested(MOST_NESTED + 1, length))) is ImageFault.TOO_COMPLEX


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_sequences_that_would_exhaust_a_parsers_stack_are_refused_soon(depth: int) -> None:
    opened = struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, UNDEFINED) + ITEM + struct.pack("<I", UNDEFINED)
    began = time.monotonic()
    assert refusal(with_elements(opened * depth)) is ImageFault.TOO_COMPLEX
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("vr", [b"UN", b"SQ"])
def test_unknown_elements_without_length_count_as_sequences(vr: bytes) -> None:
    opened = struct.pack("<HH2sHI", 9, 0x1140, vr, 0, UNDEFINED) + ITEM + struct.pack("<I", UNDEFINED)
    assert refusal(with_elements(opened * 50)) is ImageFault.TOO_COMPLEX


def test_elements_without_number_are_refused_soon() -> None:
    data = with_elements(element(9, 0x10, b"LO", b"") * 2_000_000)
    began = time.monotonic()
    assert refusal(data) is ImageFault.TOO_COMPLEX
    assert time.monotonic() - began < 2


def test_elements_without_number_in_a_sequence_that_is_opened_later_are_refused() -> None:
    items = (ITEM + bytes(4)) * (MOST_ELEMENTS + 1)
    assert refusal(with_elements(element(8, 0x1140, b"SQ", items))) is ImageFault.TOO_COMPLEX


def test_what_hides_behind_a_sequence_that_says_it_is_over_is_counted_all_the_same() -> None:
    """An item without end, of implicit looks, in a sequence with one: the sequence's length is what counts."""
    item = ITEM + struct.pack("<I", UNDEFINED) + struct.pack("<HHI", 8, 0x60, 2) + b"DX"
    behind = element(9, 0x10, b"LO", b"") * (MOST_ELEMENTS + 1)
    assert refusal(with_elements(element(8, 0x1140, b"SQ", item) + behind)) is ImageFault.TOO_COMPLEX


def test_private_elements_do_no_harm() -> None:
    private = element(9, 0x10, b"LO", b"MAKER ") + element(9, 0x1001, b"UN", b"\xff" * 5000)
    private += element(9, 0x1002, b"OB", b"MZ" * 100) + element(9, 0x1003, b"UT", b"<script>" * 10)
    assert taken(with_elements(private))


def saved(dataset: Dataset, uid: str) -> bytes:
    dataset.file_meta.TransferSyntaxUID = UID(uid)
    buffer = BytesIO()
    is_implicit, is_little = uid == ImplicitVRLittleEndian, uid != ExplicitVRBigEndian
    dcmwrite(buffer, dataset, implicit_vr=is_implicit, little_endian=is_little, force_encoding=True)
    return buffer.getvalue()


@pytest.mark.parametrize("uid", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("has_length", [True, False])
def test_elements_are_counted_in_every_encoding(uid: str, has_length: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = dcmread(BytesIO(pictures.dicom(PIXELS.astype(np.uint16))))
    items = [Dataset() for _ in range(30)]
    for item in items:
        item.PatientID = "P-1"
        item.is_undefined_length_sequence_item = not has_length
    dataset.ReferencedImageSequence = Sequence(items)
    dataset["ReferencedImageSequence"].is_undefined_length = not has_length
    data = saved(dataset, uid)
    meta = read_meta(data)
    monkeypatch.setattr(elements, "MOST_ELEMENTS", 150)
    check_elements(data, meta)
    monkeypatch.setattr(elements, "MOST_ELEMENTS", 70)
    with pytest.raises(ImageError):
        check_elements(data, meta)


@pytest.mark.parametrize(
    "change",
    [
        element(0x28, 0x10, b"LO", b"100 ") + element(0x28, 0x11, b"IS", b"2000000000"),
        element(0x28, 0x10, b"US", struct.pack("<HH", 120, 120)),
        element(0x28, 0x10, b"SS", struct.pack("<h", -120)),
        element(0x28, 0x10, b"US", b""),
        element(0x28, 0x10, b"DS", b"1e300 "),
        element(0x28, 0x101, b"US", struct.pack("<H", 40)),
        element(0x28, 0x102, b"US", struct.pack("<H", 3)),
        element(0x28, 0x103, b"US", struct.pack("<H", 7)),
        element(0x28, 0x8, b"IS", b"99999999999999999999"),
    ],
    ids=["text rows", "two rows", "negative", "none", "huge", "bits", "high bit", "sign", "frames"],
)
def test_numbers_that_are_none_or_lie_are_refused(change: bytes) -> None:
    """In a file's order the later element of a number wins: these stand before the pixels."""
    place = DICOM.index(struct.pack("<HH", 0x7FE0, 0x10))
    assert refusal(DICOM[:place] + change + DICOM[place:]) in (ImageFault.DAMAGED, ImageFault.SEVERAL_FRAMES)


def test_pixels_that_say_they_are_longer_than_the_file_are_refused() -> None:
    place = DICOM.index(struct.pack("<HH", 0x7FE0, 0x10))
    cut = DICOM[: place + 8] + struct.pack("<I", 2**31) + DICOM[place + 12 : -500]
    assert refusal(cut) is ImageFault.DAMAGED
