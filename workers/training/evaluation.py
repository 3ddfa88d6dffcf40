"""Measuring a packaged model on a folder, through the reader that serves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from diagnoses.imaging.errors import ImageError
from workers.inference.reader import Reader
from workers.training.dataset import Case, DatasetError
from workers.training.metrics import Figure, summarise

_BATCH = 32


@dataclass(frozen=True)
class Evaluation:
    """The figures over `count` pictures, and those that could not be read, with the reason."""

    count: int
    figures: dict[str, Figure]
    unreadable: dict[Path, str]


def evaluate(reader: Reader, cases: Sequence[Case]) -> Evaluation:
    """Read every case as a worker would. Pictures that cannot be read are named and left out of the figures.

    Raises DatasetError where none of a class can be read.
    """
    read: list[tuple[Case, float]] = []
    unreadable: dict[Path, str] = {}
    for batch in track(list(_batches(cases)), description="Reading"):
        for case, answer in zip(batch, reader.read([case.path.read_bytes() for case in batch]), strict=True):
            if isinstance(answer, ImageError):
                unreadable[case.path] = answer.message
            else:
                read.append((case, answer.probability))
    _check_both_classes([case for case, _ in read])
    figures = summarise(
        np.array([case.is_pneumonia for case, _ in read]),
        np.array([probability for _, probability in read]),
        [case.patient for case, _ in read],
        reader.card.threshold,
    )
    return Evaluation(len(read), figures, unreadable)


def figures_json(evaluation: Evaluation, threshold: float) -> dict[str, object]:
    """The figures with plain keys, their intervals beside them, and the count of pictures that were not read."""
    return {
        "n": evaluation.count,
        **{name: figure.value for name, figure in evaluation.figures.items()},
        "threshold": threshold,
        "intervals_95": {name: [figure.low, figure.high] for name, figure in evaluation.figures.items()},
        "unreadable": len(evaluation.unreadable),
    }


def _check_both_classes(cases: Sequence[Case]) -> None:
    found = {case.is_pneumonia for case in cases}
    for is_pneumonia, name in ((False, "NORMAL"), (True, "PNEUMONIA")):
        if is_pneumonia not in found:
            raise DatasetError(f"No picture of {name}/ could be read, so there is nothing to measure.")


def _batches(cases: Sequence[Case]) -> Iterator[Sequence[Case]]:
    for start in range(0, len(cases), _BATCH):
        yield cases[start : start + _BATCH]
