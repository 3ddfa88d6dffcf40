"""Readings as CSV."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO

from django.utils import timezone

from diagnoses.models import Reading, Result
from diagnoses.selectors.cases import Case

COLUMNS = (
    "sent_at",
    "study",
    "image",
    "filename",
    "patient_id",
    "patient_sex",
    "patient_birth_date",
    "accession_number",
    "status",
    "label",
    "indeterminate",
    "probability",
    "threshold",
    "score",
    "warnings",
    "override",
    "override_by",
    "override_reason",
    "model",
    "model_version",
    "error",
    "finding",
    "agreement",
    "reader",
    "signed_at",
)
_HIDDEN = "hidden"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_lines(cases: Iterable[Case]) -> Iterator[str]:
    """A heading, then one line per reading. Starts with a byte-order mark, without which Excel misreads accents."""
    yield "\ufeff" + csv_line(COLUMNS)
    for case in cases:
        yield csv_line(cells_of(case))


def cells_of(case: Case) -> list[object]:
    """What stands in the columns."""
    job = case.job
    study = job.image.study
    return [
        timezone.localtime(job.created_at).isoformat(timespec="seconds"),
        study.pk,
        job.image_id,
        _text(job.image.filename),
        _text(study.patient_id),
        study.patient_sex,
        study.patient_birth_date or "",
        _text(study.accession_number),
        job.status,
        *_answer(case),
        job.override_code,
        _text(job.override_by),
        _text(job.override_reason),
        job.model_version.name,
        job.model_version.version,
        job.error_code,
        *(_signed(case.reading) if case.reading else [""] * 4),
    ]


def _answer(case: Case) -> list[str]:
    if case.hidden:
        return [_HIDDEN, *[""] * 5]
    return _answer_of(case.result) if case.result else [""] * 6


def _signed(reading: Reading) -> list[str]:
    return [
        reading.finding,
        reading.agreement,
        _text(reading.reader_name),
        timezone.localtime(reading.signed_at).isoformat(timespec="seconds"),
    ]


def _answer_of(result: Result) -> list[str]:
    return [
        result.label,
        result.indeterminate_reason,
        f"{result.probability:.4f}",
        f"{result.threshold:.4f}",
        f"{result.score:.4f}",
        " ".join(result.warnings),
    ]


def _text(value: str) -> str:
    """What a person typed, made harmless: a spreadsheet runs a cell that starts like a formula."""
    return f"'{value}" if value.startswith(_FORMULA_STARTS) else value


def csv_line(cells: Iterable[object]) -> str:
    """One line of such a file."""
    buffer = StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()


def table_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Any table whose rows have the same keys, which are its heading."""
    lines = [csv_line(rows[0]), *(csv_line(harmless(cell) for cell in row.values()) for row in rows)] if rows else []
    return "\ufeff" + "".join(lines)


def harmless(cell: object) -> object:
    """The cell as a spreadsheet may have it: text that would be a formula is none any more."""
    return _text(cell) if isinstance(cell, str) else cell
