"""What is on record, narrowed: for the auditor's list, their export, and who saw a study."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, QuerySet

from diagnoses.models import AuditEvent

_PARCEL = 2000
MOST_SIGHTINGS = 1000
"""Events that the page of a study lists; its people are counted over all."""


@dataclass(frozen=True)
class Person:
    """Somebody who had to do with a study."""

    name: str
    events: int
    first: datetime
    last: datetime


def narrowed(events: "QuerySet[AuditEvent]", wanted: dict[str, Any]) -> "QuerySet[AuditEvent]":
    """Those that match all that is said. Each of it finds whole values, so that an index leads there."""
    lookups = {"since": "at__gte", "until": "at__lt", "who": "actor_name", "failed": "outcome__gt"}
    return events.filter(
        **{lookups.get(name, name): value for name, value in wanted.items() if value not in ("", None)}
    )


def stream_audit(wanted: dict[str, Any]) -> Iterator[AuditEvent]:
    """All that match, from old to new, however many: in parcels, so that no statement takes long."""
    events = narrowed(AuditEvent.objects.order_by("id"), wanted)
    last = 0
    while parcel := list(events.filter(id__gt=last)[:_PARCEL]):
        yield from parcel
        last = parcel[-1].pk


def people_of(study_id: uuid.UUID) -> list[Person]:
    """Who had to do with the study, the last one first."""
    people = (
        AuditEvent.objects.filter(study=study_id)
        .order_by()
        .values_list("actor_name")
        .annotate(events=Count("pk"), first=Min("at"), last=Max("at"))
        .order_by("-last")
    )
    return [Person(*row) for row in people]


def sightings_of(study_id: uuid.UUID) -> list[AuditEvent]:
    """What they did and saw, newest first."""
    return list(AuditEvent.objects.filter(study=study_id).order_by("-id")[:MOST_SIGHTINGS])
