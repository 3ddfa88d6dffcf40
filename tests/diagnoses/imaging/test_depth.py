"""A picture at its full depth: its values, the looks that its file names, and what the header says of them."""

import json
from base64 import b64decode
from functools import partial
from pathlib import Path
from typing import Any

import data_store
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, Sequence

from diagnoses.imaging.decode import decode
from diagnoses.imaging.depth import Look, Spacing, full_picture
from diagnoses.imaging.errors import ImageError, ImageFault
from tests import pictures

_RAMP = np.tile(np.arange(1024, dtype=np.uint16), (120, 1))
"""Stored values 0 to 1023, from left to right."""
_TEN_BITS: dict[str, Any] = {"BitsStored": 10, "HighBit": 9}
_NOISY = np.asarray(np.random.default_rng(3).normal(2000, 400, (130, 160)), np.uint16)


def _lut(table: list[int], first: int, bits: int) -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(table), first, bits])
    item.add_new("LUTData", "US", table)
    return Sequence([item])


def _shown(pixels: NDArray[Any], look: Look) -> NDArray[np.int64]:
    """Grey levels as a viewer makes them of a look."""
    values = pixels.astype(np.float64)
    if look.curve == "table":
        levels = np.frombuffer(b64decode(look.levels), np.uint8)
        places = np.rint((values - look.low) / (look.high - look.low) * (len(levels) - 1))
        return np.asarray(levels[np.clip(places, 0, len(levels) - 1).astype(int)], np.int64)
    shares = (values - look.low) / (look.high - look.low)
    if look.curve == "sigmoid":
        shares = 1 / (1 + np.exp(-4 * (shares - 0.5)))
    return np.asarray(np.clip(shares, 0, 1) * 255 + 0.5, np.int64)


_BOTH_WAYS = [{}, {"PhotometricInterpretation": "MONOCHROME1"}]


@pytest.mark.parametrize("photometric", _BOTH_WAYS, ids=["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize(
    "elements",
    [
        pytest.param({}, id="no window"),
        pytest.param({"WindowCenter": 512, "WindowWidth": 256}, id="a window"),
        pytest.param({"WindowCenter": [300, 512], "WindowWidth": [256, 100]}, id="two windows"),
        pytest.param({"WindowCenter": 512, "WindowWidth": 1}, id="a step"),
        pytest.param({"WindowCenter": 512, "WindowWidth": 256, "VOILUTFunction": "LINEAR_EXACT"}, id="an exact window"),
        pytest.param({"WindowCenter": 512, "WindowWidth": 256, "VOILUTFunction": "SIGMOID"}, id="a sigmoid"),
        pytest.param({"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 0, "WindowWidth": 500}, id="slope"),
        pytest.param(
            {"RescaleSlope": "0.25", "RescaleIntercept": 10, "WindowCenter": 99, "WindowWidth": 64}, id="part"
        ),
        pytest.param({"RescaleSlope": -1, "RescaleIntercept": 1023}, id="a negative slope"),
        pytest.param({"VOILUTSequence": _lut([(v * v) >> 10 for v in range(1024)], 0, 10)}, id="a table"),
        pytest.param({"VOILUTSequence": _lut([1023 - v for v in range(1024)], 0, 10)}, id="a falling table"),
        pytest.param({"VOILUTSequence": _lut(list(range(0, 1024, 4)), 300, 10)}, id="a short table"),
        pytest.param(
            {"ModalityLUTSequence": _lut([v * 8 for v in range(1024)], 0, 16), "WindowCenter": 99, "WindowWidth": 500},
            id="a modality table",
        ),
    ],
)
def test_with_its_first_look_a_picture_is_what_everybody_else_sees(
    elements: dict[str, Any], photometric: dict[str, str]
) -> None:
    data = pictures.dicom(_RAMP, **_TEN_BITS, **elements, **photometric)
    picture = full_picture(data)
    difference = _shown(picture.pixels, picture.facts.looks[0]) - decode(data).pixels
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize(
    "data",
    [
        pictures.png(pictures.phantom()),
        pictures.png(_NOISY),
        pictures.png(np.dstack([_NOISY] * 3)),
        pictures.jpeg(pictures.phantom()),
        pictures.dicom(_NOISY.astype(np.int16) - 3000, BitsStored=16, PixelRepresentation=1),
        pictures.dicom(pictures.phantom(), WindowCenter=100, WindowWidth=120),
    ],
    ids=["PNG", "16-bit PNG", "colours", "JPEG", "signed", "8-bit DICOM"],
)
def test_so_is_a_file_of_any_other_kind(data: bytes) -> None:
    picture = full_picture(data)
    assert np.abs(_shown(picture.pixels, picture.facts.looks[0]) - decode(data).pixels).max() <= 1


@pytest.mark.parametrize("name", ["RG1_UNCR", "RG1_J2KR", "RG3_UNCR"])
def test_and_so_is_a_real_radiograph(name: str) -> None:
    data = next(Path(data_store.__file__).parent.rglob(f"{name}.dcm")).read_bytes()
    picture = full_picture(data)
    assert picture.pixels.dtype == np.uint16
    assert np.abs(_shown(picture.pixels, picture.facts.looks[0]) - decode(data).pixels).max() <= 1


def test_sixteen_bits_keep_every_value_of_theirs() -> None:
    for data in (pictures.dicom(_NOISY), pictures.png(_NOISY)):
        picture = full_picture(data)
        assert picture.pixels.dtype == np.uint16
        np.testing.assert_array_equal(picture.pixels * picture.facts.scale + picture.facts.offset, _NOISY)


def test_what_fits_into_eight_bits_is_sent_in_eight() -> None:
    assert full_picture(pictures.png(pictures.phantom())).facts.type == "uint8"
    assert full_picture(pictures.dicom(_RAMP[:, :200] + 700)).facts.type == "uint8"
    assert full_picture(pictures.dicom(_RAMP)).facts.type == "uint16"


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("slope", [1, -1, 0.5, -2])
def test_values_lead_back_to_those_of_the_modality_whichever_way_they_are_turned(
    photometric: str, slope: float
) -> None:
    data = pictures.dicom(
        _RAMP, **_TEN_BITS, PhotometricInterpretation=photometric, RescaleSlope=slope, RescaleIntercept=-100
    )
    picture = full_picture(data)
    np.testing.assert_allclose(
        picture.pixels * picture.facts.scale + picture.facts.offset, _RAMP.astype(float) * slope - 100
    )
    assert picture.pixels.min() == 0
    is_rising = bool(picture.pixels[0, 0] < picture.pixels[0, -1])
    assert is_rising == ((photometric == "MONOCHROME2") == (slope > 0))


@pytest.mark.parametrize(
    "data",
    [
        pictures.png(np.full((100, 100), 777, np.uint16)),
        pictures.dicom(np.full((100, 100), 777, np.uint16)),
        pictures.dicom(_RAMP, RescaleSlope=0, RescaleIntercept=7),
    ],
    ids=["PNG", "DICOM", "a slope of nothing"],
)
def test_a_picture_of_one_value_has_looks_that_can_be_drawn(data: bytes) -> None:
    picture = full_picture(data)
    assert picture.facts.highest == 0
    assert all(look.high > look.low for look in picture.facts.looks)
    assert picture.facts.own_range[1] > picture.facts.own_range[0]


def test_the_files_windows_come_with_their_names_in_their_order() -> None:
    looks = full_picture(
        pictures.dicom(
            _RAMP,
            **_TEN_BITS,
            WindowCenter=[512.5, 100.5],
            WindowWidth=[257, 51],
            WindowCenterWidthExplanation=["NORMAL", "HARDER"],
        )
    ).facts.looks
    assert looks == [Look(384, 640, "NORMAL"), Look(75, 125, "HARDER")]


def test_windows_without_names_are_looks_without_names() -> None:
    looks = full_picture(pictures.dicom(_RAMP, WindowCenter=[512, 100], WindowWidth=[256, 50])).facts.looks
    assert [look.name for look in looks] == ["", ""]


@pytest.mark.parametrize(
    ("elements", "spacing"),
    [
        ({}, None),
        ({"PixelSpacing": [0, 0]}, None),
        ({"ImagerPixelSpacing": [0.15, 0.14]}, Spacing(0.15, 0.14, "detector")),
        ({"ImagerPixelSpacing": [0.15, 0.15], "PixelSpacing": [0.15, 0.15]}, Spacing(0.15, 0.15, "detector")),
        ({"ImagerPixelSpacing": [0.15, 0.15], "PixelSpacing": [0.12, 0.12]}, Spacing(0.12, 0.12, "patient")),
        (
            {"PixelSpacing": [0.15, 0.15], "PixelSpacingCalibrationType": "FIDUCIAL"},
            Spacing(0.15, 0.15, "patient"),
        ),
        ({"PixelSpacing": [0.15, 0.15]}, Spacing(0.15, 0.15, "file")),
    ],
)
def test_a_distance_is_told_with_the_place_where_it_holds(elements: dict[str, Any], spacing: Spacing | None) -> None:
    assert full_picture(pictures.dicom(_RAMP, **elements)).facts.spacing == spacing


@pytest.mark.parametrize(
    ("orientation", "side"),
    [(["L", "F"], "R"), (["R", "F"], "L"), (["LA", "F"], "R"), (["A", "F"], ""), (None, ""), ("", "")],
)
def test_the_side_at_the_viewers_left_is_what_the_header_says_or_nothing(orientation: Any, side: str) -> None:
    assert full_picture(pictures.dicom(_RAMP, PatientOrientation=orientation)).facts.viewers_left == side


@pytest.mark.parametrize(("laterality", "side"), [("R", "R"), ("L", "L"), ("U", ""), ("B", ""), (None, "")])
def test_the_side_that_was_exposed_is_what_the_header_says_or_nothing(laterality: Any, side: str) -> None:
    assert full_picture(pictures.dicom(_RAMP, ImageLaterality=laterality)).facts.body_side == side


@pytest.mark.parametrize("pixels", [_RAMP, _RAMP[:, :200]], ids=["uint16", "uint8"])
def test_a_packed_picture_is_a_line_of_even_length_and_then_its_values(pixels: NDArray[Any]) -> None:
    picture = full_picture(pictures.dicom(pixels))
    line, _, values = picture.packed().partition(b"\n")
    facts = json.loads(line)
    assert len(line) % 2 == 1
    assert (facts["rows"], facts["columns"]) == pixels.shape
    kept = np.frombuffer(values, np.dtype(facts["type"]).newbyteorder("<"))
    np.testing.assert_array_equal(kept.reshape(pixels.shape), pixels)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", ImageFault.UNSUPPORTED_TYPE),
        (pictures.png(_NOISY)[:300], ImageFault.DAMAGED),
        (pictures.jpeg(pictures.phantom())[:100], ImageFault.DAMAGED),
        (pictures.dicom(_NOISY)[:-300], ImageFault.DAMAGED),
        (pictures.dicom(_NOISY, Modality="CT"), ImageFault.NOT_A_RADIOGRAPH),
        (pictures.dicom(_NOISY, RescaleSlope="1e400", RescaleIntercept=0), ImageFault.DAMAGED),
    ],
    ids=["nothing", "PNG", "JPEG", "DICOM", "CT", "a slope without end"],
)
def test_what_cannot_be_decoded_is_refused_as_elsewhere(data: bytes, fault: ImageFault) -> None:
    with pytest.raises(ImageError) as caught:
        full_picture(data)
    assert caught.value.fault is fault


def test_a_table_is_no_longer_than_the_picture_has_values() -> None:
    """However finely a slope makes them: what is made of a header must not fill the memory."""
    flat = partial(pictures.dicom, _RAMP, RescaleIntercept=0, VOILUTSequence=_lut(list(range(1024)), 0, 10))
    [look] = full_picture(flat(RescaleSlope="1e-9")).facts.looks
    assert len(b64decode(look.levels)) <= 1024
