"""What a file says besides its grey levels: whether it is coloured, and what a DICOM header tells of the exposure."""

from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, Sequence

from diagnoses.imaging.decode import decode
from diagnoses.imaging.dicom import DicomFacts
from diagnoses.imaging.errors import GATE_FAULTS, ImageFault
from tests import pictures

_PHANTOM = pictures.phantom(160, 130)
_GREY_AS_COLOUR = np.dstack([_PHANTOM] * 3)


def _half_red() -> NDArray[np.uint8]:
    """RGB: the phantom, its left half pure red."""
    picture = _GREY_AS_COLOUR.copy()
    picture[:, :80] = (200, 0, 0)
    return picture


def _encoded(pixels: NDArray[Any], kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


# Colours


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(pictures.png(_PHANTOM), id="a grey PNG"),
        pytest.param(pictures.png(_PHANTOM.astype(np.uint16) * 200), id="a grey PNG of 16 bits"),
        pytest.param(pictures.jpeg(_PHANTOM), id="a grey JPEG"),
        pytest.param(_encoded(_GREY_AS_COLOUR, "PNG"), id="grey in a colour PNG"),
        pytest.param(pictures.png(_GREY_AS_COLOUR.astype(np.uint16) * 200), id="grey in a colour PNG of 16 bits"),
        pytest.param(pictures.jpeg(_GREY_AS_COLOUR), id="grey in a colour JPEG"),
        pytest.param(pictures.jpeg(_GREY_AS_COLOUR, quality=10), id="grey in a poor colour JPEG"),
        pytest.param(pictures.dicom(_PHANTOM), id="DICOM"),
    ],
)
def test_grey_is_not_coloured_however_it_is_stored(data: bytes) -> None:
    assert decode(data).chroma == 0


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_encoded(_half_red(), "PNG"), id="PNG"),
        pytest.param(pictures.png(_half_red()[:, :, ::-1].astype(np.uint16) * 256), id="a PNG of 16 bits"),
        pytest.param(_encoded(np.dstack([_half_red(), _PHANTOM]), "PNG"), id="a PNG with transparency"),
        pytest.param(_encoded(_half_red(), "JPEG", quality=90), id="JPEG"),
        pytest.param(_encoded(_half_red(), "JPEG", quality=90, progressive=True), id="a progressive JPEG"),
        pytest.param(_encoded(_half_red(), "JPEG", comment=b"a" * 300), id="a JPEG with much before its frame"),
    ],
)
def test_the_share_of_coloured_pixels_is_told(data: bytes) -> None:
    assert decode(data).chroma == pytest.approx(0.5, abs=0.06)


def test_a_palette_holds_colours_too() -> None:
    buffer = BytesIO()
    Image.fromarray(_half_red()).convert("P").save(buffer, "PNG")
    assert decode(buffer.getvalue()).chroma == pytest.approx(0.5, abs=0.06)


def test_filling_bytes_before_a_marker_do_not_hide_the_colours() -> None:
    data = _encoded(_half_red(), "JPEG", quality=90)
    assert decode(data[:2] + b"\xff\xff\xff" + data[2:]).chroma == pytest.approx(0.5, abs=0.06)


def test_a_slight_tint_of_film_or_screen_is_no_colour() -> None:
    tinted = np.clip(_GREY_AS_COLOUR.astype(int) + np.array([0, 8, 30]), 0, 255).astype(np.uint8)
    assert decode(_encoded(tinted, "PNG")).chroma == 0


def test_a_coloured_picture_has_the_grey_levels_that_the_eye_sees() -> None:
    levels = decode(_encoded(_half_red(), "PNG")).pixels
    assert np.abs(levels[:, :80].astype(int) - round(0.299 * 200)).max() <= 1
    np.testing.assert_array_equal(levels[:, 80:], _PHANTOM[:, 80:])


def test_of_a_grey_file_the_colours_are_not_even_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most files are grey, and each decoding costs."""
    flags: list[int] = []
    read = cv2.imdecode

    def listen(data: NDArray[np.uint8], how: int) -> object:
        flags.append(how)
        return read(data, how)

    monkeypatch.setattr(cv2, "imdecode", listen)
    for data in (pictures.png(_PHANTOM), pictures.jpeg(_PHANTOM)):
        flags.clear()
        decode(data)
        assert len(flags) == 1
        assert not flags[0] & cv2.IMREAD_COLOR


# DICOM


def _facts(**elements: Any) -> DicomFacts:
    facts = decode(pictures.dicom(_PHANTOM, **elements)).facts
    assert facts is not None
    return facts


def test_a_header_that_says_nothing_gives_no_facts() -> None:
    assert _facts() == DicomFacts("", "", None)
    assert _facts(ViewPosition="", BodyPartExamined="", PatientAge="") == DicomFacts("", "", None)


def test_a_picture_has_no_facts() -> None:
    assert decode(pictures.png(_PHANTOM)).facts is None


def test_view_and_body_part_come_in_capitals() -> None:
    facts = _facts(ViewPosition="LL", BodyPartExamined="CHEST ")
    assert (facts.view_position, facts.body_part) == ("LL", "CHEST")


def test_without_a_view_position_the_words_of_the_view_code_tell() -> None:
    code = Dataset()
    code.CodeMeaning = "left lateral"
    assert _facts(ViewCodeSequence=Sequence([code])).view_position == "LEFT LATERAL"
    assert _facts(ViewCodeSequence=Sequence([code]), ViewPosition="PA").view_position == "PA"
    assert _facts(ViewCodeSequence=Sequence([])).view_position == ""


@pytest.mark.parametrize(("age", "years"), [("003Y", 3), ("018M", 1.5), ("026W", 0.5), ("073D", 0.2), ("000Y", 0)])
def test_an_age_is_in_years_whatever_its_unit(age: str, years: float) -> None:
    assert _facts(PatientAge=age).age_years == pytest.approx(years)


def test_without_an_age_the_dates_of_birth_and_study_give_it() -> None:
    dates = {"PatientBirthDate": "20200601", "StudyDate": "20240601"}
    assert _facts(**dates).age_years == 4
    assert _facts(**dates, PatientAge="002Y").age_years == 2


@pytest.mark.parametrize(
    "elements",
    [
        {"PatientBirthDate": "20200601"},
        {"StudyDate": "20240601"},
        {"PatientBirthDate": "20240602", "StudyDate": "20240601"},
        {"PatientBirthDate": "", "StudyDate": "20240601"},
    ],
)
def test_where_the_dates_do_not_tell_the_age_is_not_known(elements: dict[str, str]) -> None:
    assert _facts(**elements).age_years is None


@pytest.mark.filterwarnings("ignore:Invalid value for VR:UserWarning")
@pytest.mark.parametrize(
    ("birth", "age"), [("20201399", "3Y"), ("2020", "three"), ("20200601\\20210601", "003Y\\004Y")]
)
def test_nonsense_in_the_header_is_no_age_and_no_obstacle(birth: str, age: str) -> None:
    facts = _facts(PatientBirthDate=birth, PatientAge=age, StudyDate="20240601")
    assert facts.age_years is None


def test_the_gates_faults_are_those_that_a_person_may_override() -> None:
    assert {
        ImageFault.NOT_A_CHEST_XRAY,
        ImageFault.NOT_FRONTAL,
        ImageFault.INVERTED,
        ImageFault.CROPPED_OR_ROTATED,
        ImageFault.TOO_LOW_QUALITY,
        ImageFault.OUTSIDE_AGE,
    } == GATE_FAULTS
