"""The audit as CSV and as JSON lines."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from diagnoses.audit_terms import MEANINGS, Kind
from diagnoses.export import csv_line, harmless
from diagnoses.models import AuditEvent

COLUMNS = (
    "id",
    "at",
    "action",
    "event",
    "event_meaning",
    "action_code",
    "outcome",
    "actor_id",
    "actor_name",
    "actor_roles",
    "address",
    "object_type",
    "object_id",
    "patient",
    "study",
    "model_version",
    "detail",
)


def audit_csv(events: Iterable[AuditEvent]) -> Iterator[str]:
    """A heading, then a line per event. Nothing in it is a formula to a spreadsheet."""
    yield "\ufeff" + csv_line(COLUMNS)
    for event in events:
        cells = _data(event) | {"detail": json.dumps(event.detail, ensure_ascii=False)}
        yield csv_line(harmless(cell) for cell in cells.values())


def audit_json_lines(events: Iterable[AuditEvent]) -> Iterator[str]:
    """An object per line."""
    for event in events:
        yield json.dumps(_data(event), ensure_ascii=False) + "\n"


FORMATS: Mapping[str, tuple[Callable[[Iterable[AuditEvent]], Iterator[str]], str]] = {
    "csv": (audit_csv, "text/csv; charset=utf-8"),
    "jsonl": (audit_json_lines, "application/x-ndjson; charset=utf-8"),
}
"""How each is written, and its content type."""


def _data(event: AuditEvent) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(event, name) for name in COLUMNS if name != "event_meaning"}
    row |= {"at": event.at.isoformat(), "study": str(event.study or "")}
    row["event_meaning"] = MEANINGS[Kind(event.event)] if event.event in MEANINGS else ""
    return {name: row[name] for name in COLUMNS}
