"""What the reader would rather not say, and what it refuses: bands, stability, the gate, age, overrides, warnings."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from diagnoses.imaging.errors import GATE_FAULTS, ImageError, ImageFault
from tests import pictures
from tests.workers.inference.test_reader import _reader, _reader_with, _readings, _score_at, _Scripted
from workers.inference.quality import words_of
from workers.inference.reader import NORMAL, PNEUMONIA, Reading, ReadRequest

_CHEST = pictures.png(pictures.phantom())
_SURE = 50.0  # log-odds so far from any band that nothing is checked


# The shipped gate


@pytest.mark.parametrize(
    ("picture", "faults"),
    [
        pytest.param(255 - pictures.phantom(), {ImageFault.INVERTED}, id="a negative"),
        pytest.param(np.rot90(pictures.phantom()), {ImageFault.CROPPED_OR_ROTATED}, id="on its side"),
        pytest.param(np.full((300, 300), 128, np.uint8), {ImageFault.TOO_LOW_QUALITY}, id="blank"),
        pytest.param(
            np.random.default_rng(0).integers(0, 256, (300, 300)).astype(np.uint8),
            {ImageFault.NOT_A_CHEST_XRAY},
            id="noise",
        ),
        pytest.param(
            cv2.GaussianBlur(pictures.phantom(), (0, 0), 15), {ImageFault.TOO_LOW_QUALITY}, id="hopelessly blurred"
        ),
    ],
)
def test_the_shipped_model_refuses_what_is_no_whole_upright_chest(
    picture: NDArray[np.uint8], faults: set[ImageFault]
) -> None:
    (answer,) = _reader().read([ReadRequest(pictures.png(np.ascontiguousarray(picture)))])
    assert isinstance(answer, ImageError)
    assert answer.fault in faults | {ImageFault.NOT_A_CHEST_XRAY}
    assert answer.message == words_of(answer.fault)


def test_the_shipped_model_refuses_a_colour_photograph() -> None:
    colours = np.random.default_rng(1).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    photo = cv2.resize(colours, (400, 300), interpolation=cv2.INTER_CUBIC)
    for suffix in (".png", ".jpg"):
        (answer,) = _reader().read([ReadRequest(cv2.imencode(suffix, photo)[1].tobytes())])
        assert isinstance(answer, ImageError)
        assert answer.fault is ImageFault.NOT_A_CHEST_XRAY


@pytest.mark.parametrize("seed", range(4))
def test_the_shipped_model_reads_a_drawn_chest(seed: int) -> None:
    (answer,) = _reader().read([ReadRequest(pictures.png(pictures.phantom(500 + 90 * seed, 460, seed)))])
    assert isinstance(answer, Reading)


def test_a_lateral_view_and_another_part_of_the_body_are_refused_by_their_header() -> None:
    chest = pictures.phantom()
    lateral, hand, frontal = _reader().read(
        [
            ReadRequest(pictures.dicom(chest, ViewPosition="LL", BodyPartExamined="CHEST")),
            ReadRequest(pictures.dicom(chest, BodyPartExamined="HAND")),
            ReadRequest(pictures.dicom(chest, ViewPosition="PA", BodyPartExamined="CHEST")),
        ]
    )
    assert isinstance(lateral, ImageError)
    assert lateral.fault is ImageFault.NOT_FRONTAL
    assert isinstance(hand, ImageError)
    assert hand.fault is ImageFault.NOT_A_CHEST_XRAY
    assert isinstance(frontal, Reading)


# Refused and overridden


@pytest.mark.parametrize("fault", [ImageFault.NOT_A_CHEST_XRAY, ImageFault.INVERTED, ImageFault.CROPPED_OR_ROTATED])
def test_what_the_gate_refuses_gets_no_answer_and_words_that_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch, fault: ImageFault
) -> None:
    reader = _reader_with(_Scripted([_SURE, _SURE, _SURE]), monkeypatch, None, fault, None)
    first, refused, last = reader.read([ReadRequest(_CHEST)] * 3)
    assert isinstance(first, Reading)
    assert isinstance(last, Reading)
    assert isinstance(refused, ImageError)
    assert refused.fault is fault
    assert "override the refusal" in refused.message


def test_an_overridden_refusal_is_read_and_says_what_the_gate_had_said(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = _reader_with(_Scripted([_SURE]), monkeypatch, ImageFault.INVERTED)
    (answer,) = reader.read([ReadRequest(_CHEST, gate_overridden=True)])
    assert isinstance(answer, Reading)
    assert answer.label == PNEUMONIA
    assert answer.warnings == (ImageFault.INVERTED,)


def test_an_override_opens_no_damaged_file(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = _reader_with(_Scripted(), monkeypatch)
    (answer,) = reader.read([ReadRequest(_CHEST[:-3000], gate_overridden=True)])
    assert isinstance(answer, ImageError)
    assert answer.fault is ImageFault.DAMAGED
    assert answer.fault not in GATE_FAULTS


# Age


@pytest.mark.parametrize(("age", "outside"), [(0.9, True), (1.0, False), (5.99, False), (6.0, True), (40.0, True)])
def test_an_age_that_the_model_did_not_learn_from_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, age: float, outside: bool
) -> None:
    reader = _reader_with(_Scripted([_SURE]), monkeypatch)
    (answer,) = reader.read([ReadRequest(_CHEST, age_years=age)])
    assert isinstance(answer, Reading)
    assert (ImageFault.OUTSIDE_AGE in answer.warnings) is outside


def test_a_site_may_have_other_ages_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = _reader_with(_Scripted([_SURE]), monkeypatch, refuse_outside_age=True)
    (answer,) = reader.read([ReadRequest(_CHEST, age_years=30.0)])
    assert isinstance(answer, ImageError)
    assert answer.fault is ImageFault.OUTSIDE_AGE


def test_an_unknown_age_is_neither_warned_of_nor_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = _reader_with(_Scripted([_SURE]), monkeypatch, refuse_outside_age=True)
    (answer,) = reader.read([ReadRequest(_CHEST)])
    assert isinstance(answer, Reading)
    assert answer.warnings == ()


# Cannot tell


def test_inside_the_band_the_label_is_the_thresholds_and_the_answer_is_that_it_cannot_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card = _reader().card
    below, above = (card.band.low + card.threshold) / 2, (card.threshold + card.band.high) / 2
    steady = [_score_at(below)] * 3 + [_score_at(above)] * 3
    reader = _reader_with(_Scripted([_score_at(below), _score_at(above), *steady]), monkeypatch)
    normal, pneumonia = _readings(reader, [_CHEST, _CHEST])
    assert (normal.label, pneumonia.label) == (NORMAL, PNEUMONIA)
    assert (normal.indeterminate_reason, pneumonia.indeterminate_reason) == ("band", "band")


def _outside_the_band_but_near() -> float:
    """A score that is checked on variants, and is not in the band."""
    card = _reader().card
    if card.unsteady.high > card.band.high:
        return _score_at((card.band.high + card.unsteady.high) / 2)
    return _score_at((card.unsteady.low + card.band.low) / 2)


def test_an_answer_that_a_harmless_change_turns_is_unstable(monkeypatch: pytest.MonkeyPatch) -> None:
    near = _outside_the_band_but_near()
    other = -_SURE if near > _score_at(_reader().card.threshold) else _SURE
    reader = _reader_with(_Scripted([near, near, other, near]), monkeypatch)
    (reading,) = _readings(reader, [_CHEST])
    assert reading.indeterminate_reason == "unstable"


def test_an_answer_that_stays_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    near = _outside_the_band_but_near()
    (reading,) = _readings(_reader_with(_Scripted([near] * 4), monkeypatch), [_CHEST])
    assert reading.indeterminate_reason == ""


def test_variants_are_read_only_where_an_answer_can_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = _Scripted([_SURE, -_SURE, _outside_the_band_but_near(), *[0.0] * 3])
    reader = _reader_with(engine, monkeypatch)
    _readings(reader, [_CHEST] * 3)
    assert engine.batches == [1, 3, 3]  # the phantom, the batch, three variants of one picture


def test_a_refused_picture_is_not_checked_for_stability(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = _Scripted([_outside_the_band_but_near()])
    reader = _reader_with(engine, monkeypatch, ImageFault.INVERTED)
    assert isinstance(reader.read([ReadRequest(_CHEST)])[0], ImageError)
    assert engine.batches == [1, 1]


# The heatmap


def test_a_confident_normal_has_an_empty_heatmap(monkeypatch: pytest.MonkeyPatch) -> None:
    (reading,) = _readings(_reader_with(_Scripted([-_SURE], attention=5.0), monkeypatch), [_CHEST])
    heat = cv2.imdecode(np.frombuffer(reading.heatmap, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert heat is not None
    assert np.asarray(heat).max() == 0
    assert reading.heatmap_peak == 0


def test_heat_that_lies_mainly_at_the_border_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    corner = np.zeros((7, 7), np.float32)
    corner[0, 0] = 3.0
    middle = np.roll(corner, 3, axis=(0, 1))
    too_cold = corner / corner.max() * np.float32(_reader().card.heatmap.floor / 2)
    for attention, warned in ((corner, True), (middle, False), (too_cold, False)):
        (reading,) = _readings(_reader_with(_Scripted([_SURE], attention=attention), monkeypatch), [_CHEST])
        assert ("heatmap_at_border" in reading.warnings) is warned
