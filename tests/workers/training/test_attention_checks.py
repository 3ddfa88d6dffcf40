"""Heat that means something, and heat that does not."""

import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest

from diagnoses.imaging.decode import decode
from tests import pictures
from tests.workers.training.fakes import FakeReader, make_card, make_reading, write_case
from workers.inference.architectures import ARCHITECTURES, Architecture
from workers.inference.card import CARD_NAME, WEIGHTS_NAME
from workers.inference.network import build_classifier, save_weights
from workers.inference.reader import HEAT_AT_BORDER
from workers.training.attention_checks import (
    STEPS,
    RandomisationCheck,
    Step,
    attention_json,
    check_attention,
    heated,
    randomisation_json,
    sure_normals,
)
from workers.training.dataset import Case
from workers.training.evaluation import ReadRow, evaluate
from workers.training.findings import Findings, card_figures
from workers.training.intervals import Figure
from workers.training.randomised import check_randomisation, rank_correlation, similarity

_CENTRE = ((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0))
_CORNER = ((1.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


def _noisy_cases(folder: Path, count: int = 3) -> list[Case]:
    cases = []
    for number in range(count):
        case = write_case(folder, f"p{number}", 0.5, is_pneumonia=True)
        noise = np.random.default_rng(number).integers(0, 256, (64, 64)).astype(np.uint8)
        case.path.write_bytes(pictures.png(noise))
        cases.append(case)
    return cases


def _looks_at_the_centre(data: bytes) -> float:
    """Sure where the middle ninth is noisy, and ever less so the smoother it is."""
    return float(np.clip(decode(data).pixels[24:40, 24:40].std() / 74, 0, 1))


def _normals(folder: Path) -> list[ReadRow]:
    """Smooth, and so nothing to see for the reader below."""
    cases = [write_case(folder, f"n{number}", 0.5, is_pneumonia=False) for number in range(2)]
    return [ReadRow(case, make_reading(0.1)) for case in cases]


def _rows(cases: Sequence[Case], heat: Sequence[Sequence[float]]) -> list[ReadRow]:
    return [ReadRow(case, make_reading(0.9, heat=heat)) for case in cases]


def test_heat_where_the_reader_looks_is_better_than_chance(tmp_path: Path) -> None:
    reader = FakeReader(_looks_at_the_centre)
    checks = check_attention(reader, _rows(_noisy_cases(tmp_path, 12), _CENTRE), _normals(tmp_path))
    assert checks.count == 12
    assert checks.deletion.area_by_attention.value < 0.3
    assert checks.insertion.area_by_attention.value > 0.7
    for curves in (checks.deletion, checks.insertion):
        assert curves.gain.low > 0
        assert curves.gain.value == pytest.approx(
            abs(curves.area_by_attention.value - curves.area_by_chance.value), abs=1e-9
        )
        assert len(curves.by_attention) == len(STEPS)
    # Nothing is deleted at first, and all at last; the other way round for insertion.
    assert checks.deletion.by_attention[0] == pytest.approx(checks.insertion.by_attention[-1])
    assert checks.deletion.by_attention[-1] == pytest.approx(checks.insertion.by_attention[0])
    assert checks.deletion.by_attention[0] > 0.9
    assert checks.deletion.by_attention[-1] < 0.3


def test_heat_elsewhere_is_no_better_than_chance(tmp_path: Path) -> None:
    checks = check_attention(
        FakeReader(_looks_at_the_centre), _rows(_noisy_cases(tmp_path, 8), _CORNER), _normals(tmp_path)
    )
    assert checks.deletion.gain.low < 0.1
    assert checks.insertion.gain.low < 0.1
    assert checks.deletion.area_by_attention.value > 0.3


def test_what_was_cut_up_is_read_past_the_gate(tmp_path: Path) -> None:
    reader = FakeReader(_looks_at_the_centre)
    check_attention(reader, _rows(_noisy_cases(tmp_path, 1), _CENTRE), _normals(tmp_path))
    assert len(reader.requests) == 4 * len(STEPS)
    assert all(request.gate_overridden for request in reader.requests)


def test_heat_at_the_border_is_counted(tmp_path: Path) -> None:
    cases = _noisy_cases(tmp_path, 4)
    rows = [*_rows(cases[:3], _CENTRE), ReadRow(cases[3], make_reading(0.9, heat=_CORNER, warnings=(HEAT_AT_BORDER,)))]
    checks = check_attention(FakeReader(_looks_at_the_centre), rows, _normals(tmp_path))
    assert (checks.mainly_at_border.value, checks.warned_of_border.value) == (0.25, 0.25)
    assert checks.border_by_chance == pytest.approx(8 / 9)
    assert attention_json(checks)["steps"] == pytest.approx(list(STEPS))


def test_only_pictures_that_were_called_pneumonia_and_have_heat_are_looked_at(tmp_path: Path) -> None:
    cases = _noisy_cases(tmp_path, 10)
    cold = [ReadRow(cases[0], make_reading(0.9, heat=np.zeros((3, 3)).tolist())), ReadRow(cases[1], make_reading(0.1))]
    rows = cold + _rows(cases[2:], _CENTRE)
    assert heated(rows, 40) == rows[2:]
    few = heated(rows, 3)
    assert [rows.index(row) for row in few] == [2, 5, 9]


def test_cells_are_exchanged_with_the_surest_normals_that_are_right(tmp_path: Path) -> None:
    levels = [0.3, 0.1, 0.45, 0.9]
    cases = [write_case(tmp_path, f"n{i}", level, is_pneumonia=False) for i, level in enumerate(levels)]
    missed = write_case(tmp_path, "p", 0.05, is_pneumonia=True)
    rows = [ReadRow(case, make_reading(level)) for case, level in zip([*cases, missed], [*levels, 0.05], strict=True)]
    assert sure_normals(rows) == [rows[1], rows[0]]
    assert len(sure_normals([rows[0]] * 50)) == 20


# Randomised weights


def _build_backbone(weights: Path | None) -> keras.Model:
    pixels = keras.Input((None, None, 3))
    middle = keras.layers.Conv2D(8, 4, strides=4, activation="relu", name="middle")(pixels)
    middle = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(middle)
    last = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(middle)
    return keras.Model(pixels, last)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny model's folder: card and weights."""
    monkeypatch.setitem(ARCHITECTURES, "tiny", Architecture("tiny", _build_backbone, "middle"))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / CARD_NAME).write_text(make_card().model_dump_json())
    keras.utils.set_random_seed(3)
    save_weights(build_classifier(ARCHITECTURES["tiny"]), folder / WEIGHTS_NAME)
    return folder


def test_attention_is_that_of_the_trained_network_until_its_layers_are_spoilt(model: Path, tmp_path: Path) -> None:
    before = (model / WEIGHTS_NAME).read_bytes()
    check = check_randomisation(model, _rows(_noisy_cases(tmp_path), _CENTRE))
    assert [step.spoilt for step in check.steps] == [0, 1, 2, 3, 4]
    assert check.layers == 4
    first, last = check.steps[0], check.steps[-1]
    assert first.spearman.value == pytest.approx(1)
    assert first.ssim.value == pytest.approx(1)
    assert last.spearman.value < 0.9
    assert last.ssim.value < 0.9
    assert (model / WEIGHTS_NAME).read_bytes() == before


def test_the_randomisation_is_seeded(model: Path, tmp_path: Path) -> None:
    rows = _rows(_noisy_cases(tmp_path), _CENTRE)
    assert check_randomisation(model, rows) == check_randomisation(model, rows)
    assert check_randomisation(model, rows) != check_randomisation(model, rows, seed=1)


@pytest.mark.parametrize(("high", "passed"), [(0.49, True), (0.5, False), (1.0, False)])
def test_the_check_is_passed_where_the_spoilt_networks_attention_is_surely_another_one(
    high: float, passed: bool
) -> None:
    step = Step(4, Figure(0.2, 0.1, high), Figure(0.2, 0.1, 0.3))
    check = RandomisationCheck(4, [Step(0, Figure(1, 1, 1), Figure(1, 1, 1)), step])
    assert check.passed is passed
    assert json.loads(json.dumps(randomisation_json(check)))["passed"] is passed


def test_a_map_is_like_itself_unlike_its_opposite_and_like_no_empty_one() -> None:
    heat = np.arange(9, dtype=np.float32).reshape(3, 3)
    empty = np.zeros((3, 3), np.float32)
    assert rank_correlation(heat, heat * 2) == pytest.approx(1)
    assert rank_correlation(heat, heat.max() - heat) == pytest.approx(-1)
    assert rank_correlation(heat, empty) == rank_correlation(empty, empty) == 0
    assert similarity(heat, heat * 2) == pytest.approx(1)
    assert similarity(heat, heat.max() - heat) < 0
    assert abs(similarity(heat, empty)) < 0.01


def test_the_card_gets_a_section_of_the_heatmap(tmp_path: Path) -> None:
    reader = FakeReader(lambda data: 0.9)
    cases = [*_noisy_cases(tmp_path), write_case(tmp_path, "n", 0.1, is_pneumonia=False)]
    evaluation = evaluate(reader, cases, resamples=5)
    attention = check_attention(reader, _rows(cases[:3], _CENTRE), _normals(tmp_path))
    step = Step(1, Figure(0.2, 0.1, 0.3), Figure(0.2, 0.1, 0.3))
    section = card_figures(Findings(evaluation, attention=attention, randomisation=RandomisationCheck(1, [step])))
    assert set(section["heatmap"]) == {
        "deletion_gain",
        "insertion_gain",
        "mainly_at_border",
        "similarity_when_randomised",
    }
