"""Two models on the same pictures: where they differ, and whether by more than chance."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from workers.training.dataset import Case
from workers.training.evaluation import Row, ServingReader, as_arrays, band_of, read_cases, read_rows, row_json
from workers.training.intervals import RESAMPLES, Figure, bootstrap_by_patient, resampled
from workers.training.metrics import Labels, Measure, Scores, both_classes, measures
from workers.training.significance import DelongTest, McNemarTest, delong_test, mcnemar

SCHEMA = "comparison/1"


@dataclass(frozen=True)
class Pair:
    """One picture and what each model said of it."""

    first: Row
    second: Row

    @property
    def differs(self) -> bool:
        """Whether a clinician would be told something else: another label, doubt, or another refusal."""
        return _told(self.first) != _told(self.second)


@dataclass(frozen=True)
class Comparison:
    """Two models, each at its own threshold, on the pictures that both read. Differences are second minus first."""

    models: tuple[str, str]
    count: int
    figures: dict[str, tuple[float, float]]
    differences: dict[str, Figure]
    mcnemar: McNemarTest
    delong: DelongTest | None
    """None with fewer than two pictures of a class."""
    disagreements: list[Pair]
    """Of all pictures, those that only one model read among them."""


def compare(
    first: ServingReader, second: ServingReader, cases: Sequence[Case], *, resamples: int = RESAMPLES
) -> Comparison:
    """Read every case with both. Raises DatasetError where there is nothing of a class that both can read."""
    names = (name_of(first), name_of(second))
    answers = [read_cases(reader, cases, name) for reader, name in zip((first, second), names, strict=True)]
    pairs = [Pair(*rows) for rows in zip(*answers, strict=True)]
    both = [pair for pair in pairs if not pair.first.refusal and not pair.second.refusal]
    first_read, second_read = read_rows([p.first for p in both]), read_rows([p.second for p in both])
    labels, first_probabilities, patients = as_arrays(first_read)
    _, second_probabilities, _ = as_arrays(second_read)
    probabilities = (first_probabilities, second_probabilities)
    named = [measures(reader.card.threshold, band_of(reader.card)) for reader in (first, second)]
    figures, differences = _differences(named, labels, probabilities, patients, resamples)
    return Comparison(
        models=names,
        count=len(both),
        figures=figures,
        differences=differences,
        mcnemar=mcnemar(
            np.array([row.is_right for row in first_read]), np.array([row.is_right for row in second_read])
        ),
        delong=delong_test(labels, *probabilities) if 1 < labels.sum() < len(labels) - 1 else None,
        disagreements=[pair for pair in pairs if pair.differs],
    )


def name_of(reader: ServingReader) -> str:
    """Name and version of a reader's model."""
    return f"{reader.card.name} {reader.card.version}"


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """As plain values; docs/evaluation.md says what each is."""
    return {
        "schema": SCHEMA,
        "models": list(comparison.models),
        "n": comparison.count,
        "figures": {name: list(values) for name, values in comparison.figures.items()},
        "differences": {name: asdict(figure) for name, figure in comparison.differences.items()},
        "mcnemar": asdict(comparison.mcnemar),
        "delong": comparison.delong and asdict(comparison.delong),
        "disagreements": [
            {"first": row_json(pair.first), "second": row_json(pair.second)} for pair in comparison.disagreements
        ],
    }


def _differences(
    named: Sequence[dict[str, Measure]],
    labels: Labels,
    probabilities: tuple[Scores, Scores],
    patients: Sequence[str],
    resamples: int,
) -> tuple[dict[str, tuple[float, float]], dict[str, Figure]]:
    """Each figure of both models, and its difference over the same resamples of patients for both."""
    draws = both_classes(labels, bootstrap_by_patient(patients, resamples))
    figures, differences = {}, {}
    for name in named[0]:
        first, second = (measure[name] for measure in named)
        values = (first.of(labels, probabilities[0]), second.of(labels, probabilities[1]))
        if np.isnan(values).any():
            continue
        figures[name] = values
        differences[name] = resampled(
            lambda rows, a=first, b=second: (  # type: ignore[misc]
                b.of(labels[rows], probabilities[1][rows]) - a.of(labels[rows], probabilities[0][rows])
            ),
            len(labels),
            draws,
        )
    return figures, differences


def _told(row: Row) -> tuple[str, str]:
    readings = read_rows([row])
    if not readings:
        return row.refusal, ""
    return readings[0].reading.label, readings[0].reading.indeterminate_reason and "indeterminate"
