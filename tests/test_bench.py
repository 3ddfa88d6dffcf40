"""The benches: what they make of figures, and that each can still be taken. No time is ever asserted."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from diagnoses.models import ModelVersion, Result
from tests.bench import gradcam, worker
from tests.bench.bench import Bench
from tests.bench.figures import Row, at_least, at_most, ratio_of_medians, ratio_of_turns, rows_of, shown, table_of
from tests.bench.files import drawn_files, files_of, spread
from tests.bench.registry import MEASURES
from tests.conftest import SHIPPED_MODEL
from workers.inference.reader import Reading, ReadRequest


def test_a_goal_is_met_on_its_own_side_and_at_its_limit() -> None:
    assert [at_least(0.85).is_met_by(value) for value in (0.84, 0.85, 0.86)] == [False, True, True]
    assert [at_most(1.03).is_met_by(value) for value in (1.02, 1.03, 1.04)] == [True, True, False]
    assert (str(at_least(0.85)), str(at_most(0.01))) == ("≥ 0.85", "≤ 0.01")


def test_what_is_no_number_or_could_not_be_taken_meets_nothing() -> None:
    assert not at_least(0).is_met_by(math.nan)
    assert not at_most(0).is_met_by(math.nan)
    assert Row("idle", "ratio", None, at_most(2)).met is False
    assert Row("idle", "bare_ms", 3.0).met is None


def test_every_measure_has_a_target() -> None:
    assert MEASURES
    assert all(measure.goals for measure in MEASURES.values())


def test_rows_begin_with_what_has_a_target_and_a_measure_without_any_is_an_error() -> None:
    rows = rows_of("idle", {"bare_ms": 40.0, "ratio": 1.5}, {"ratio": at_most(2)})
    assert [(row.figure, row.met) for row in rows] == [("ratio", True), ("bare_ms", None)]
    assert rows[0].data() == {"measure": "idle", "figure": "ratio", "value": 1.5, "target": "≤ 2", "met": True}
    with pytest.raises(ValueError, match="idle gave none of ratio"):
        rows_of("idle", {"bare_ms": 40.0}, {"ratio": at_most(2)})


def test_ratios_are_those_of_medians_or_the_median_of_those_of_turns() -> None:
    assert ratio_of_turns([(2, 1), (30, 10), (100, 1)]) == 3
    assert ratio_of_medians([1, 6, 100], [2, 3, 900]) == 2


def test_the_table_says_what_was_met_what_was_not_and_what_failed() -> None:
    rows = [Row("a", "some_ratio", 0.5, at_least(0.4)), Row("b", "ratio", 0.3, at_least(0.4)), Row("c", "ratio", None)]
    with (console := Console(width=100)).capture() as capture:
        console.print(table_of(rows, "title"))
    lines = capture.get().splitlines()
    assert [word in line for word, line in zip(("yes", "NO", "failed"), lines[-4:-1], strict=True)] == [True] * 3
    assert "a: some ratio" in lines[-4]


def test_values_are_shown_with_four_digits_and_without_powers() -> None:
    assert [shown(value) for value in (0.0123456, 1.0284, 208.12, 20000.0)] == ["0.01235", "1.028", "208.1", "20000"]


def test_files_are_found_wherever_they_lie_and_some_are_taken_from_all_over(tmp_path: Path) -> None:
    for name in ("b/two", "a/one"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(name.encode())
    files = files_of(tmp_path)
    assert files == [("one", b"a/one"), ("two", b"b/two")]
    assert spread(files, 4) == [files[0], files[0], files[1], files[1]]
    assert spread(files * 5, 2) == [files[0], files[1]]


def test_a_reader_is_held_against_itself_without_grad_cam() -> None:
    pictures = np.zeros((2, 224, 224), np.uint8)
    figures = gradcam.compare(SHIPPED_MODEL, pictures, turns=1)
    assert rows_of("gradcam", figures, MEASURES["gradcam"].goals)
    assert all(value > 0 for value in figures.values())


def test_the_bare_loop_reads_what_is_drawn_where_no_folder_is_given() -> None:
    files = drawn_files(2)
    with Bench(files) as bench:
        assert bench.seconds_bare(files) > 0
        answers = bench.reader.read([ReadRequest(data) for _, data in files])
    assert all(isinstance(answer, Reading) for answer in answers)


@pytest.mark.django_db
def test_a_worker_without_an_engine_finishes_what_is_seeded(model_version: ModelVersion, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"anything")
    assert worker.seed([str(file)], 41) == worker.unfinished() == 41
    done = worker.ORDERS["finish_all"](wait_seconds=0)
    assert (done["jobs"], worker.unfinished(), Result.objects.count()) == (41, 0, 41)
    assert done["ended"] > done["started"]
    assert json.dumps(done)
