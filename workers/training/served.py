"""The same pictures through a running site (HTTP, queue, worker and database), against the reading of this process."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.progress import track

from diagnoses.imaging.errors import ImageError
from workers.inference.card import Card
from workers.inference.reader import Reading
from workers.training.evaluation import Evaluation, Row, in_batches
from workers.training.site_client import ServedAnswer, SiteClient

_SAME_ENGINE = 1e-6
_OTHER_ENGINE = 1e-3
_AT_ONCE = 32
"""Files in one study: few enough that none is held in memory for long."""


@dataclass(frozen=True)
class Difference:
    """A picture that the site answered otherwise, and how, in words."""

    path: Path
    words: str


@dataclass(frozen=True)
class Served:
    """How the site's answers compare, picture by picture."""

    count: int
    differences: list[Difference]
    largest_step: float
    """The largest difference of two probabilities."""


def check_served(evaluation: Evaluation, site: SiteClient, max_files: int) -> Served:
    """Send every picture of an evaluation to a site, at most `max_files` a study, and compare answer by answer.

    Raises ServedError where the site cannot be reached, or does not answer in time.
    """
    differences: list[Difference] = []
    largest = 0.0
    rows = {row.case.path: row for row in evaluation.rows}
    cases = [row.case for row in evaluation.rows]
    for batch in track(list(in_batches(cases, min(max_files, _AT_ONCE))), description="Through the site"):
        answers = site.read([(case.path.name, case.path.read_bytes()) for case in batch])
        for case, answer in zip(batch, answers, strict=True):
            row = rows[case.path]
            words = difference(row, answer, evaluation.card, evaluation.engine)
            if words:
                differences.append(Difference(case.path, words))
            largest = max(largest, _step(row, answer))
    return Served(len(cases), differences, largest)


def served_json(served: Served) -> dict[str, Any]:
    """As plain values."""
    differences = [{"path": str(found.path), "words": found.words} for found in served.differences]
    return asdict(served) | {"differences": differences}


def difference(row: Row, answer: ServedAnswer, card: Card, engine: str) -> str:
    """How the site's answer differs from the one of this process, in words; empty where it does not.

    Probabilities may differ by 1e-6 on the same engine and by 1e-3 on another.
    """
    if isinstance(row.answer, ImageError):
        return _of_refusal(row.answer, answer)
    if answer.status != "done":
        return f"read here as {row.answer.label}, {answer.status} there ({answer.code})"
    return "; ".join(_of_model(card, answer) or _of_reading(row.answer, answer, engine))


def _of_refusal(refusal: ImageError, answer: ServedAnswer) -> str:
    here, there = refusal.fault.value, answer.code or answer.label
    if answer.status == "refused" and here == there:
        return ""
    return f"refused here ({here}), {answer.status} there ({there})"


def _of_model(card: Card, answer: ServedAnswer) -> list[str]:
    here, there = (card.name, card.version), (answer.model, answer.model_version)
    if here != there:
        return [f"read there by {' '.join(there)}, not by {' '.join(here)}"]
    if card.weights_sha256 != answer.weights_sha256:
        return [f"read there by other weights ({answer.weights_sha256[:12]}, here {card.weights_sha256[:12]})"]
    return []


def _of_reading(reading: Reading, answer: ServedAnswer, engine: str) -> list[str]:
    found = [
        f"{what}: {here or 'none'} here, {there or 'none'} there"
        for what, here, there in (
            ("label", reading.label, answer.label),
            ("indeterminate", reading.indeterminate_reason, answer.indeterminate_reason),
            ("warnings", " ".join(sorted(reading.warnings)), " ".join(sorted(answer.warnings))),
        )
        if here != there
    ]
    tolerance = _SAME_ENGINE if engine == answer.engine else _OTHER_ENGINE
    if abs(reading.probability - answer.probability) > tolerance:
        found.append(f"probability: {reading.probability:.6f} here, {answer.probability:.6f} there")
    return found


def _step(row: Row, answer: ServedAnswer) -> float:
    if isinstance(row.answer, ImageError) or answer.status != "done":
        return 0.0
    return abs(row.answer.probability - answer.probability)
