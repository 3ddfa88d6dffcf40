"""The gate's rules: a usable picture passes them, an unusable one is refused for what is wrong with it."""

import cv2
import numpy as np
import pytest

from diagnoses.imaging.decode import Radiograph, decode
from diagnoses.imaging.dicom import DicomFacts
from diagnoses.imaging.errors import GATE_FAULTS, ImageFault
from tests import pictures
from workers.inference.preprocess import GreyImage, preprocess
from workers.inference.quality import MAX_AGE_YEARS, MIN_AGE_YEARS, fine_share, judge_facts, judge_quality, words_of

_CHEST = pictures.phantom()


def _judged(pixels: GreyImage, chroma: float = 0.0, size: int = 224) -> list[ImageFault]:
    return judge_quality(Radiograph(pixels, chroma), preprocess(pixels, size))


def _resized(width: int, height: int) -> GreyImage:
    return np.asarray(cv2.resize(_CHEST, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


# The picture


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("width", "height"), [(120, 110), (320, 280), (1400, 1100), (900, 1000)])
def test_a_chest_of_any_usual_size_passes(width: int, height: int, seed: int) -> None:
    assert _judged(pictures.phantom(width, height, seed)) == []


@pytest.mark.parametrize("quality", [50, 75, 95])
def test_a_chest_passes_however_its_jpeg_was_saved(quality: int) -> None:
    assert _judged(decode(pictures.jpeg(_CHEST, quality)).pixels) == []


@pytest.mark.parametrize("scale", [0.8, 1.2])
def test_a_chest_passes_a_little_smaller_or_larger(scale: float) -> None:
    assert _judged(_resized(round(320 * scale), round(280 * scale))) == []


def test_a_negative_passes_the_rules_so_that_the_network_can_call_it_one() -> None:
    assert _judged(255 - _CHEST) == []


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(np.zeros((200, 200), np.uint8), id="black"),
        pytest.param(np.full((200, 200), 255, np.uint8), id="white"),
        pytest.param(np.full((200, 200), 128, np.uint8), id="grey"),
        pytest.param(np.tile(np.linspace(0, 255, 200).astype(np.uint8), (200, 1)), id="a gradient"),
        pytest.param((100 + _CHEST / 16).astype(np.uint8), id="hardly any contrast"),
        pytest.param(np.clip(_CHEST.astype(int) * 2 + 120, 0, 255).astype(np.uint8), id="burnt out"),
        pytest.param(np.clip(_CHEST.astype(int) - 160, 0, 255).astype(np.uint8), id="far too dark"),
        pytest.param(cv2.GaussianBlur(_CHEST, (0, 0), 0.03 * 320), id="blurred"),
    ],
)
def test_what_shows_nothing_is_of_too_low_quality(picture: GreyImage) -> None:
    assert _judged(picture) == [ImageFault.TOO_LOW_QUALITY]


@pytest.mark.parametrize("size", [224, 299])
@pytest.mark.parametrize("width", [320, 1200])
def test_blur_is_judged_by_the_picture_and_not_by_its_pixels(width: int, size: int) -> None:
    sharp = pictures.phantom(width, round(width * 0.9))
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 0.02 * width), np.uint8)
    assert _judged(sharp, size=size) == []
    assert _judged(blurred, size=size) == [ImageFault.TOO_LOW_QUALITY]


def test_finer_waves_alone_count_as_fine() -> None:
    across = np.linspace(0, 2 * np.pi, 224, endpoint=False)
    coarse, fine = (np.tile(128 + 100 * np.sin(waves * across), (224, 1)).astype(np.uint8) for waves in (8, 40))
    assert fine_share(coarse) < 0.001
    assert fine_share(fine) > 0.99
    assert fine_share(np.full((224, 224), 7, np.uint8)) == 0


def test_a_coloured_picture_is_no_radiograph() -> None:
    assert _judged(_CHEST, chroma=0.5) == [ImageFault.NOT_A_CHEST_XRAY]


def test_a_coloured_mark_in_a_corner_is_forgiven() -> None:
    assert _judged(_CHEST, chroma=0.05) == []


@pytest.mark.parametrize(("width", "height"), [(1000, 220), (220, 1000)])
def test_a_strip_is_no_whole_chest(width: int, height: int) -> None:
    assert _judged(pictures.phantom(width, height)) == [ImageFault.CROPPED_OR_ROTATED]


def test_a_wide_radiograph_passes() -> None:
    assert _judged(pictures.phantom(600, 300)) == []


def test_everything_that_is_wrong_is_told() -> None:
    assert _judged(np.zeros((100, 900), np.uint8), chroma=1.0) == [
        ImageFault.NOT_A_CHEST_XRAY,
        ImageFault.CROPPED_OR_ROTATED,
        ImageFault.TOO_LOW_QUALITY,
    ]


# The facts


def test_where_nothing_is_known_nothing_is_wrong() -> None:
    assert judge_facts(None, None) == []
    assert judge_facts(DicomFacts(), None) == []


@pytest.mark.parametrize("view", ["PA", "AP", "POSTERO-ANTERIOR", "ANTERO-POSTERIOR", "FRONTAL", "AP SUPINE"])
def test_a_frontal_view_passes(view: str) -> None:
    assert judge_facts(DicomFacts(view_position=view), None) == []


@pytest.mark.parametrize(
    "view", ["LL", "RL", "LATERAL", "LAT", "LEFT LATERAL", "LLD", "RLD", "RAO", "LPO", "LLO", "ANTERIOR OBLIQUE"]
)
def test_a_lateral_or_oblique_view_is_not_frontal(view: str) -> None:
    assert judge_facts(DicomFacts(view_position=view), None) == [ImageFault.NOT_FRONTAL]


@pytest.mark.parametrize("part", ["CHEST", "CHEST PA", "THORAX", "TORAX", "LUNGS", "RIBS", "PED_CHEST", "UNKNOWN", ""])
def test_a_chest_passes_by_any_of_its_names(part: str) -> None:
    assert judge_facts(DicomFacts(body_part=part), None) == []


@pytest.mark.parametrize("part", ["HAND", "ABDOMEN", "SKULL", "TSPINE", "THORACIC SPINE", "KNEE", "PELVIS"])
def test_another_part_of_the_body_is_no_chest(part: str) -> None:
    assert judge_facts(DicomFacts(body_part=part), None) == [ImageFault.NOT_A_CHEST_XRAY]


@pytest.mark.parametrize("years", [MIN_AGE_YEARS, 3.0, 5.999])
def test_an_age_from_the_first_to_the_day_before_the_sixth_birthday_passes(years: float) -> None:
    assert judge_facts(None, years) == []
    assert judge_facts(DicomFacts(age_years=years), None) == []


@pytest.mark.parametrize("years", [0.0, 0.999, MAX_AGE_YEARS, 40.0])
def test_any_other_age_is_outside(years: float) -> None:
    assert judge_facts(None, years) == [ImageFault.OUTSIDE_AGE]
    assert judge_facts(DicomFacts(age_years=years), None) == [ImageFault.OUTSIDE_AGE]


def test_the_age_that_the_sender_tells_counts_before_the_headers() -> None:
    assert judge_facts(DicomFacts(age_years=40), 3) == []
    assert judge_facts(DicomFacts(age_years=3), 40) == [ImageFault.OUTSIDE_AGE]


def test_all_that_a_header_shows_to_be_wrong_is_told() -> None:
    assert judge_facts(DicomFacts("LL", "KNEE", 70), None) == [
        ImageFault.NOT_A_CHEST_XRAY,
        ImageFault.NOT_FRONTAL,
        ImageFault.OUTSIDE_AGE,
    ]


@pytest.mark.parametrize("fault", sorted(GATE_FAULTS))
def test_each_refusal_says_what_to_do_next(fault: ImageFault) -> None:
    words = words_of(fault)
    assert "override the refusal and say why" in words
    assert "Send" in words or "send" in words or "Export" in words or "Read it" in words
    assert words.endswith(".")
