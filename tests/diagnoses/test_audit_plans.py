"""Whatever the audit is narrowed by, an index leads there: what nobody did is not looked for in all that was done."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from diagnoses.audit_terms import Kind
from diagnoses.models import AuditEvent
from diagnoses.models.audit import AuditAction, Outcome
from diagnoses.selectors.audit_events import narrowed
from tests.bench.record_worker import fill_record
from tests.diagnoses.test_history_plans import nodes_of, plans_of

EVENTS = 3_000
MOST_PASSED_OVER = 50
RARE: dict[str, Any] = {
    "who": "nobody",
    "patient": str(uuid.UUID(int=0)),
    "study": uuid.UUID(int=0),
    "object_id": "nothing",
    "address": "198.51.100.1",
    "action": AuditAction.GLASS_BROKEN,
    "event": Kind.SECURITY_ALERT,
    "outcome": Outcome.MAJOR_FAILURE,
    "since": timezone.now() + timedelta(days=1),
}


@pytest.mark.django_db
def test_a_rare_value_of_any_field_passes_over_next_to_nothing() -> None:
    fill_record(until=EVENTS)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # with millions of events it is not the cheapest either
    passed_over = {
        name: sum(
            node.get("Rows Removed by Filter", 0)
            for plan in plans_of(lambda name=name: list(narrowed(AuditEvent.objects.all(), {name: RARE[name]})[:100]))  # type: ignore[misc]
            for node in nodes_of(plan)
        )
        for name in RARE
    }
    assert {name: rows for name, rows in passed_over.items() if rows > MOST_PASSED_OVER} == {}
