"""Two models on the same pictures."""

import json
from pathlib import Path

import pytest

from diagnoses.imaging.errors import ImageError
from tests.workers.training.fakes import REFUSAL, FakeReader, level_of, make_card, write_case, write_cases
from workers.training.comparison import compare, comparison_json
from workers.training.dataset import DatasetError


def _first() -> FakeReader:
    return FakeReader(level_of, make_card("first"))


def _second(threshold: float = 0.5) -> FakeReader:
    """Surer than the first one, and wrong the other way round below a third."""
    return FakeReader(lambda data: min(1.0, level_of(data) + 0.3), make_card("second", "2.0.0", threshold))


def test_figures_are_those_of_each_model_and_differences_are_second_minus_first(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, [0.1, 0.1, 0.3, 0.3], [0.9, 0.8, 0.3, 0.7])
    comparison = compare(_first(), _second(), cases, resamples=200)
    assert comparison.models == ("first 1.0.0", "second 2.0.0")
    assert comparison.count == 8
    assert comparison.figures["specificity"] == (1.0, 0.5)
    assert comparison.figures["sensitivity"] == (0.75, 1.0)
    assert comparison.differences["specificity"].value == -0.5
    assert comparison.differences["sensitivity"].value == 0.25
    for figure in comparison.differences.values():
        assert figure.low <= figure.value <= figure.high
    assert comparison.differences["specificity"].low < comparison.differences["specificity"].high <= 0


def test_each_model_is_at_its_own_cards_threshold(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, [0.1, 0.3], [0.9, 0.7])
    comparison = compare(_first(), _second(threshold=0.8), cases, resamples=20)
    assert comparison.differences["accuracy"].value == 0


def test_the_tests_are_paired(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, [0.1, 0.1, 0.3, 0.3], [0.9, 0.8, 0.3, 0.7])
    comparison = compare(_first(), _second(), cases, resamples=20)
    assert (comparison.mcnemar.only_first, comparison.mcnemar.only_second) == (2, 1)
    assert comparison.mcnemar.p == 1
    assert comparison.delong is not None
    assert comparison.delong.difference.value == pytest.approx(
        comparison.figures["auc"][1] - comparison.figures["auc"][0]
    )


def test_the_same_model_twice_does_not_differ(tmp_path: Path) -> None:
    """Unpaired resamples would give the differences a width."""
    cases = write_cases(tmp_path, [0.1, 0.3, 0.6], [0.9, 0.4, 0.7])
    comparison = compare(_first(), _first(), cases, resamples=100)
    assert {(f.value, f.low, f.high) for f in comparison.differences.values()} == {(0.0, 0.0, 0.0)}
    assert (comparison.mcnemar.p, comparison.disagreements) == (1, [])


def test_two_pictures_of_a_patient_are_drawn_together(tmp_path: Path) -> None:
    levels = [0.1, 0.3, 0.1, 0.3, 0.1]
    single = write_cases(tmp_path / "single", levels, [0.9] * 5)
    again = [
        write_case(tmp_path / "again", case.patient, level, is_pneumonia=case.is_pneumonia)
        for case, level in zip(single, levels + [0.9] * 5, strict=True)
    ]
    once = compare(_first(), _second(), single, resamples=200).differences["accuracy"]
    twice = compare(_first(), _second(), [*single, *again], resamples=200).differences["accuracy"]
    assert once.low < once.high
    assert (twice.value, twice.low, twice.high) == pytest.approx((once.value, once.low, once.high))


def test_disagreements_are_those_that_tell_a_reader_something_else(tmp_path: Path) -> None:
    """Another label (0.3), only one in doubt (0.45: doubt, then surely pneumonia), a refusal; never the rest."""
    cases = write_cases(tmp_path, [0.05, 0.3, 0.0], [0.9, 0.45])
    refused = cases[2].path.read_bytes()

    def second(data: bytes) -> float | ImageError:
        return REFUSAL if data == refused else min(1.0, level_of(data) + 0.3)

    comparison = compare(_first(), FakeReader(second, make_card("second")), cases, resamples=20)
    assert comparison.count == 4
    assert [pair.first.case.path for pair in comparison.disagreements] == [cases[i].path for i in (1, 2, 4)]
    written = json.loads(json.dumps(comparison_json(comparison)))
    assert written["disagreements"][1]["second"]["refusal"]["code"] == "inverted"
    assert written["disagreements"][0]["first"]["label"] == "NORMAL"
    assert written["disagreements"][0]["second"]["label"] == "PNEUMONIA"
    assert written["n"] == 4
    assert set(written["differences"]["auc"]) == {"value", "low", "high"}


def test_models_of_which_one_refuses_a_whole_class_cannot_be_compared(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, [0.1, 0.2], [0.9, 0.8])
    strict = FakeReader(lambda data: REFUSAL if level_of(data) < 0.5 else 0.9)
    with pytest.raises(DatasetError, match="NORMAL"):
        compare(_first(), strict, cases)
