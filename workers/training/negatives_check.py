"""How many pictures that are no chest radiograph are refused, by kind."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workers.training.dataset import Case, DatasetError
from workers.training.evaluation import Row, ServingReader, read_cases
from workers.training.gate_data import is_only_reported_on
from workers.training.intervals import RESAMPLES, Figure, share
from workers.training.negatives import load_negatives


@dataclass(frozen=True)
class Refused:
    """How much of what must be refused was."""

    count: int
    share: Figure


@dataclass(frozen=True)
class Negatives:
    """Shares refused. A resample of pooled ones draws whole kinds, since pictures of one kind fare alike."""

    pooled: Refused
    kept_from_fitting: Refused | None
    """Of those that a gate fitted on the same folder did not learn from; None where there is none."""
    kinds: dict[str, Refused]
    answered: list[Path]
    """Those that got a diagnosis."""


def check_negatives(reader: ServingReader, folder: Path, *, resamples: int = RESAMPLES) -> Negatives:
    """Read all pictures below `folder`, a subfolder per kind; whatever code refuses one counts.

    Raises DatasetError where there is none.
    """
    rows = read_cases(reader, _cases(folder), "Reading negatives")
    kept = [row for row in rows if is_only_reported_on(row.case.patient, row.case.path)]
    by_kind: dict[str, list[Row]] = {}
    for row in rows:
        by_kind.setdefault(row.case.patient, []).append(row)
    return Negatives(
        pooled=_pooled(rows, resamples),
        kept_from_fitting=_pooled(kept, resamples) if kept else None,
        kinds={
            kind: _refused(members, [str(row.case.path) for row in members], resamples)
            for kind, members in by_kind.items()
        },
        answered=[row.case.path for row in rows if not row.refusal],
    )


def negatives_json(negatives: Negatives) -> dict[str, Any]:
    """As plain values."""
    return asdict(negatives) | {"answered": [str(path) for path in negatives.answered]}


def _cases(folder: Path) -> list[Case]:
    """Each picture, with its kind in the patient's place."""
    try:
        return [Case(path, False, kind, None) for kind, path in load_negatives(folder)]
    except FileNotFoundError as error:
        raise DatasetError(f"{error}. Give a folder that holds a subfolder for each kind.") from error


def _pooled(rows: Sequence[Row], resamples: int) -> Refused:
    return _refused(rows, [row.case.patient for row in rows], resamples)


def _refused(rows: Sequence[Row], owners: Sequence[str], resamples: int) -> Refused:
    return Refused(len(rows), share([bool(row.refusal) for row in rows], owners, resamples))
