"""Measuring a packaged model on a folder, through the reader that serves."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from rich.progress import track

from diagnoses.imaging.errors import GATE_FAULTS, ImageError
from workers.inference.card import Card
from workers.inference.reader import PNEUMONIA, Reading, ReadRequest
from workers.training.dataset import Case, DatasetError
from workers.training.intervals import RESAMPLES, Figure, share
from workers.training.metrics import Edges, Labels, Scores, summarise
from workers.training.significance import delong_auc

SCHEMA = "evaluation/1"
"""Of the JSON that an evaluation is written as. Raised when a key changes its meaning."""

_BATCH = 32


class ServingReader(Protocol):
    """What an evaluation needs of `workers.inference.reader.Reader`."""

    @property
    def card(self) -> Card: ...

    @property
    def engine(self) -> str: ...

    def read(self, requests: Sequence[ReadRequest]) -> list[Reading | ImageError]: ...


@dataclass(frozen=True)
class Row:
    """One picture and what the reader said of it."""

    case: Case
    answer: Reading | ImageError

    @property
    def refusal(self) -> str:
        """The code with which it was refused or could not be read; empty where it was read."""
        return self.answer.fault.value if isinstance(self.answer, ImageError) else ""


@dataclass(frozen=True)
class ReadRow:
    """One picture that was read."""

    case: Case
    reading: Reading

    @property
    def is_right(self) -> bool:
        """Whether the threshold's label is the true one."""
        return (self.reading.label == PNEUMONIA) == self.case.is_pneumonia


@dataclass(frozen=True)
class Evaluation:
    """What was read of which pictures, and the figures over those that were."""

    card: Card
    engine: str
    rows: list[Row]
    figures: dict[str, Figure]
    """Over the pictures that were read, by name: those of `metrics.summarise`, and what the reader would not say."""
    auc_delong: Figure | None
    """Beside the bootstrap's interval; None with fewer than two pictures of a class."""
    refusals: dict[str, Figure]
    """Share of all pictures, `all` and by code of the gate: each of these is a radiograph that should be read."""

    @property
    def read(self) -> list[ReadRow]:
        """The pictures that were read, in order."""
        return read_rows(self.rows)

    @property
    def count(self) -> int:
        """How many pictures were read."""
        return len(self.read)

    @property
    def unreadable(self) -> dict[Path, str]:
        """The pictures without a reading, and why, in words."""
        return {row.case.path: row.answer.message for row in self.rows if isinstance(row.answer, ImageError)}


def evaluate(reader: ServingReader, cases: Sequence[Case], *, resamples: int = RESAMPLES) -> Evaluation:
    """Read every case as a worker would. Pictures that are not read are named and left out of the figures.

    Raises DatasetError where none of a class can be read.
    """
    rows = read_cases(reader, cases)
    labels, probabilities, patients = as_arrays(read_rows(rows))
    figures = summarise(
        labels, probabilities, patients, reader.card.threshold, band=band_of(reader.card), resamples=resamples
    )
    return Evaluation(
        card=reader.card,
        engine=reader.engine,
        rows=rows,
        figures=figures | _certainty(read_rows(rows), resamples),
        auc_delong=delong_auc(labels, probabilities) if 1 < labels.sum() < len(labels) - 1 else None,
        refusals=_refusals(rows, resamples),
    )


def read_cases(reader: ServingReader, cases: Sequence[Case], description: str = "Reading") -> list[Row]:
    """Every case's file, as it is, through the reader."""
    rows: list[Row] = []
    for batch in track(list(in_batches(cases)), description=description):
        answers = reader.read([ReadRequest(case.path.read_bytes()) for case in batch])
        rows.extend(Row(case, answer) for case, answer in zip(batch, answers, strict=True))
    return rows


def in_batches(cases: Sequence[Case], size: int = _BATCH) -> Iterator[Sequence[Case]]:
    """The cases in their order, at most `size` at once, so that their files need never be held together."""
    for start in range(0, len(cases), size):
        yield cases[start : start + size]


def read_rows(rows: Sequence[Row]) -> list[ReadRow]:
    """The rows that hold a reading."""
    return [ReadRow(row.case, row.answer) for row in rows if isinstance(row.answer, Reading)]


def as_arrays(rows: Sequence[ReadRow]) -> tuple[Labels, Scores, list[str]]:
    """Truth, probability and patient of each picture. Raises DatasetError where a class is missing."""
    found = {row.case.is_pneumonia for row in rows}
    for is_pneumonia, name in ((False, "NORMAL"), (True, "PNEUMONIA")):
        if is_pneumonia not in found:
            raise DatasetError(f"No picture of {name}/ could be read, so there is nothing to measure.")
    return (
        np.array([row.case.is_pneumonia for row in rows], np.bool_),
        np.array([row.reading.probability for row in rows], np.float64),
        [row.case.patient for row in rows],
    )


def band_of(card: Card) -> Edges:
    """The card's band in which the product says that it cannot tell."""
    return card.band.low, card.band.high


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as plain values; docs/evaluation.md says what each is."""
    figures = evaluation.figures
    card = evaluation.card
    return {
        "schema": SCHEMA,
        "model": {
            "name": card.name,
            "version": card.version,
            "weights_sha256": card.weights_sha256,
            "engine": evaluation.engine,
            "temperature": card.temperature,
            "band": list(band_of(card)),
        },
        "n": evaluation.count,
        **{name: figure.value for name, figure in figures.items()},
        "threshold": card.threshold,
        "intervals_95": {name: [figure.low, figure.high] for name, figure in figures.items()},
        "auc_delong": evaluation.auc_delong and asdict(evaluation.auc_delong),
        "unreadable": len(evaluation.unreadable),
        "refused": {code: asdict(figure) for code, figure in evaluation.refusals.items()},
        "rows": [row_json(row) for row in evaluation.rows],
    }


def row_json(row: Row) -> dict[str, Any]:
    """One picture's line: what is true, what was said, or why nothing was."""
    answer = row.answer
    known = {"path": str(row.case.path), "patient": row.case.patient, "pneumonia": row.case.is_pneumonia}
    if isinstance(answer, ImageError):
        return known | {"refusal": {"code": answer.fault.value, "message": answer.message}}
    return known | {
        "refusal": None,
        "score": answer.score,
        "probability": answer.probability,
        "label": answer.label,
        "indeterminate_reason": answer.indeterminate_reason,
        "warnings": list(answer.warnings),
    }


def _certainty(rows: Sequence[ReadRow], resamples: int) -> dict[str, Figure]:
    """How often the reader commits itself (neither in the band nor unstable), and is right when it does."""
    certain = [row for row in rows if not row.reading.indeterminate_reason]
    patients = [row.case.patient for row in rows]
    found = {"certain": share([not row.reading.indeterminate_reason for row in rows], patients, resamples)}
    if certain:
        right = [row.is_right for row in certain]
        found["accuracy_where_certain"] = share(right, [row.case.patient for row in certain], resamples)
    return found


def _refusals(rows: Sequence[Row], resamples: int) -> dict[str, Figure]:
    patients = [row.case.patient for row in rows]
    counts = Counter(row.refusal for row in rows if row.refusal in GATE_FAULTS)
    found = {"all": share([row.refusal in GATE_FAULTS for row in rows], patients, resamples)}
    for code, _ in counts.most_common():
        found[code] = share([row.refusal == code for row in rows], patients, resamples)
    return found
