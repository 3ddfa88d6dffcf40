"""How answers are spread is counted by what the pictures truly are."""

from pathlib import Path

from tests.workers.training.fakes import FakeReader, level_of, write_cases
from workers.training.distribution import EDGES, distribution
from workers.training.evaluation import evaluate


def test_each_picture_counts_in_one_bin_of_its_class(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, [0.0, 0.02, 0.3, 0.6], [0.7, 0.97, 1.0])
    said = distribution(evaluate(FakeReader(level_of), cases, resamples=10).read)
    assert said["edges"] == list(EDGES)
    assert said["normal"] == [1, 1, 0, 0, 1, 1, 0, 0, 0, 0]
    assert said["pneumonia"] == [0, 0, 0, 0, 0, 1, 0, 0, 1, 1]


def test_a_class_without_a_picture_has_empty_bins(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, [0.1, 0.2], [0.9])
    read = [row for row in evaluate(FakeReader(level_of), cases, resamples=10).read if row.case.is_pneumonia]
    assert distribution(read)["normal"] == [0] * (len(EDGES) + 1)
