"""What one evaluation counts, leaves out, and writes."""

import json
from pathlib import Path

import pytest
from scipy.stats import binomtest

from diagnoses.imaging.errors import ImageError, ImageFault
from tests.workers.training.fakes import REFUSAL, FakeReader, level_of, make_card, make_reading, write_case, write_cases
from workers.inference.reader import Reading
from workers.training.dataset import DatasetError
from workers.training.evaluation import evaluate, evaluation_json
from workers.training.findings import Findings, card_figures, findings_json
from workers.training.intervals import mean, share
from workers.training.negatives_check import check_negatives

_DAMAGED = ImageError(ImageFault.DAMAGED, "The file is damaged.")


def test_every_file_goes_through_the_reader_as_it_is(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, [0.1] * 20, [0.9] * 20)
    reader = FakeReader(level_of)
    evaluation = evaluate(reader, cases, resamples=10)
    assert [request.data for request in reader.requests] == [case.path.read_bytes() for case in cases]
    assert not any(request.gate_overridden for request in reader.requests)
    assert [row.case for row in evaluation.rows] == cases
    assert evaluation.count == 40


def test_figures_are_over_the_pictures_that_were_read(tmp_path: Path) -> None:
    """Of four normals one is wrong and one refused; of four pneumonias one cannot be told, and one is wrong."""
    cases = write_cases(tmp_path, [0.1, 0.2, 0.7, 0.0], [0.9, 0.8, 0.55, 0.2])
    refused = cases[3].path.read_bytes()
    reader = FakeReader(lambda data: REFUSAL if data == refused else level_of(data))
    evaluation = evaluate(reader, cases, resamples=50)
    figures = {name: figure.value for name, figure in evaluation.figures.items()}
    assert evaluation.count == 7
    assert figures["accuracy"] == pytest.approx(5 / 7)
    assert figures["specificity"] == pytest.approx(2 / 3)
    assert figures["sensitivity"] == pytest.approx(3 / 4)
    assert figures["certain"] == figures["band_coverage"] == pytest.approx(6 / 7)
    assert figures["accuracy_where_certain"] == pytest.approx(4 / 6)
    assert evaluation.unreadable == {cases[3].path: REFUSAL.message}


def test_refused_radiographs_are_counted_by_code_and_damaged_ones_apart(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, [0.1, 0.2, 0.0, 1.0], [0.9, 0.8, 0.7, 0.6])
    answers = {cases[2].path.read_bytes(): REFUSAL, cases[3].path.read_bytes(): _DAMAGED}
    evaluation = evaluate(FakeReader(lambda data: answers.get(data) or level_of(data)), cases, resamples=50)
    assert {code: figure.value for code, figure in evaluation.refusals.items()} == {"all": 1 / 8, "inverted": 1 / 8}
    assert evaluation.refusals["all"].high == pytest.approx(binomtest(1, 8).proportion_ci(0.95, method="exact").high)
    assert len(evaluation.unreadable) == 2


def test_an_unstable_answer_outside_the_band_is_not_certain(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, [0.1, 0.2], [0.8, 0.9])

    def answer(data: bytes) -> Reading:
        reading = make_reading(level_of(data))
        return Reading(**{**vars(reading), "indeterminate_reason": "unstable"}) if level_of(data) < 0.15 else reading

    figures = evaluate(FakeReader(answer), cases, resamples=20).figures
    assert figures["certain"].value == 0.75
    assert figures["band_coverage"].value == 1


@pytest.mark.parametrize("name", ["NORMAL", "PNEUMONIA"])
def test_a_class_of_which_nothing_can_be_read_is_named(tmp_path: Path, name: str) -> None:
    cases = write_cases(tmp_path, [0.1] * 2, [0.9] * 2)
    spoilt = {case.path.read_bytes() for case in cases if case.path.parent.name == name}
    with pytest.raises(DatasetError, match=f"No picture of {name}/"):
        evaluate(FakeReader(lambda data: REFUSAL if data in spoilt else level_of(data)), cases)


def test_the_json_has_plain_keys_with_their_intervals_beside_them_and_a_line_for_each_picture(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, [0.1, 0.2, 0.0], [0.9, 0.8, 0.55])
    refused = cases[2].path.read_bytes()
    evaluation = evaluate(FakeReader(lambda d: REFUSAL if d == refused else level_of(d)), cases, resamples=20)
    written = json.loads(json.dumps(evaluation_json(evaluation)))
    assert {"n", "accuracy", "auc", "sensitivity", "specificity", "ece", "threshold"} <= set(written)
    assert (written["n"], written["threshold"], written["unreadable"]) == (5, 0.5, 1)
    assert written["intervals_95"]["auc"] == [evaluation.figures["auc"].low, evaluation.figures["auc"].high]
    assert written["model"]["band"] == [0.4, 0.6]
    assert written["refused"]["inverted"]["value"] == pytest.approx(1 / 6)
    rows = {row["path"]: row for row in written["rows"]}
    assert len(rows) == 6
    assert rows[str(cases[2].path)]["refusal"] == {"code": "inverted", "message": REFUSAL.message}
    assert "label" not in rows[str(cases[2].path)]
    doubtful = rows[str(cases[5].path)]
    assert (doubtful["patient"], doubtful["pneumonia"], doubtful["label"]) == ("p2", True, "PNEUMONIA")
    assert (doubtful["indeterminate_reason"], doubtful["refusal"]) == ("band", None)
    assert doubtful["probability"] == pytest.approx(0.55, abs=0.005)


def test_delongs_interval_needs_two_pictures_of_each_class(tmp_path: Path) -> None:
    both = write_cases(tmp_path / "both", [0.1, 0.7], [0.9, 0.6])
    single = write_cases(tmp_path / "single", [0.1], [0.9, 0.6])
    assert evaluate(FakeReader(level_of), both, resamples=10).auc_delong is not None
    assert evaluate(FakeReader(level_of), single, resamples=10).auc_delong is None


# Intervals


def test_a_share_of_none_does_not_claim_certainty() -> None:
    figure = share([False] * 20, [str(i) for i in range(20)])
    assert (figure.value, figure.low) == (0, 0)
    assert figure.high == pytest.approx(1 - 0.025 ** (1 / 20))


def test_a_mean_over_one_patient_has_no_width_and_over_many_it_has() -> None:
    values = [0.0, 1.0] * 10
    single, many = mean(values, ["one"] * 20), mean(values, [str(i) for i in range(20)])
    assert (single.low, single.high) == (0.5, 0.5)
    assert many.low < 0.4
    assert many.high > 0.6


# Negatives


def _negatives(folder: Path) -> None:
    """Kinds a (all refused) and b (half of them); satellite pictures are never learned from."""
    for kind, levels in {"a": [0.1] * 4, "b": [0.1, 0.9], "satellite": [0.1, 0.1, 0.9, 0.9]}.items():
        for index, level in enumerate(levels):
            case = write_case(folder / "made", f"{kind}{index}", level, is_pneumonia=False)
            (folder / kind).mkdir(parents=True, exist_ok=True)
            case.path.rename(folder / kind / case.path.name)


def test_negatives_are_counted_by_kind_and_together_and_those_not_learned_from_apart(tmp_path: Path) -> None:
    _negatives(tmp_path)
    found = check_negatives(FakeReader(lambda data: REFUSAL if level_of(data) < 0.5 else 0.99), tmp_path, resamples=50)
    assert {kind: (r.count, r.share.value) for kind, r in found.kinds.items()} == {
        "a": (4, 1.0),
        "b": (2, 0.5),
        "satellite": (4, 0.5),
    }
    assert (found.pooled.count, found.pooled.share.value) == (10, 0.7)
    assert found.kept_from_fitting is not None
    assert found.kept_from_fitting.count >= 4
    assert sorted(path.parent.name for path in found.answered) == ["b", "satellite", "satellite"]
    # Whole kinds are drawn, so that it may be as bad as b and satellite are.
    assert found.pooled.share.low <= 0.5


def test_a_folder_without_negatives_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="subfolder for each kind"):
        check_negatives(FakeReader(level_of), tmp_path)


# Together


def test_findings_carry_only_what_was_asked_for_and_the_cards_sections(tmp_path: Path) -> None:
    _negatives(tmp_path / "negatives")
    cases = write_cases(tmp_path, [0.1, 0.2], [0.9, 0.8])
    reader = FakeReader(level_of, make_card("other", "2.0.0"))
    findings = Findings(evaluate(reader, cases, resamples=10), check_negatives(reader, tmp_path / "negatives"))
    written = json.loads(json.dumps(findings_json(findings)))
    assert written["model"]["name"] == "other"
    assert written["negatives"]["pooled"]["share"]["value"] == 0
    assert written["stress"] is written["attention"] is written["randomisation"] is written["served"] is None
    assert set(card_figures(findings)) == {"gate"}
    assert set(written["card_figures"]["gate"]) == {
        "radiographs_refused",
        "others_refused",
        "others_kept_from_fitting_refused",
    }
    assert set(written["card_figures"]["gate"]["others_refused"]) == {"value", "low", "high"}
