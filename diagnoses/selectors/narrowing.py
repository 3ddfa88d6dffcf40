"""What the history can be narrowed to that no index holds.

A page looks through a fixed number of the nearest readings for these, and says how far it got; the next one goes on
from there. So a page costs the same however rare a match is, and who goes on misses nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.lookups import Exact, IsNull

from diagnoses.models import Image, Job, Reading
from diagnoses.models.reading import Part
from diagnoses.selectors.hiding import may_know_readings
from diagnoses.selectors.ranges import NO_READING, HistoryFilter, Position, newest
from diagnoses.selectors.viewers import Viewer

LOOKED_THROUGH = 10_000


@dataclass(frozen=True)
class Found:
    """The first places that match, and where looking ended for this time (None: there is no more to look through)."""

    places: list[Position]
    looked_until: Position | None = None


def condition_of(user: Viewer, wanted: HistoryFilter) -> Q | None:
    """What a reading has to be beside what indexes know; None where there is nothing of the kind."""
    conditions = []
    if wanted.refusal:
        conditions.append(Q(error_code=wanted.refusal))
    if wanted.overridden:
        conditions.append(~Q(override_code=""))
    if wanted.urgent:
        conditions.append(Q(urgent=True))
    if wanted.sex:
        of_image = Image.objects.filter(pk=OuterRef("image")).order_by()
        conditions.append(_is(of_image.values("study__patient_sex"), wanted.sex))
    if wanted.reading:
        conditions.append(_of_readers(user, wanted.reading))
    return reduce(and_, conditions) if conditions else None


def look_through(ranges: Sequence[QuerySet[Job]], condition: Q, count: int) -> Found:
    """The first `count` places that match the condition among the nearest readings."""
    end = newest(ranges, 1, skipped=LOOKED_THROUGH - 1)
    near = ranges
    if end:
        at, pk = end[0]
        near = [jobs.filter(Q(created_at__gte=at), Q(created_at__gt=at) | Q(id__gte=pk)) for jobs in ranges]
    places = newest([jobs.filter(condition) for jobs in near], count)
    return Found(places, end[0] if end and len(places) < count else None)


def _of_readers(user: Viewer, reading: str) -> Q:
    if reading == NO_READING:
        return _is_missing(_signed())
    return _is(_signed().filter(agreement=reading).values("agreement"), reading) & _may_know(user)


def _may_know(user: Viewer) -> Q:
    """What `hiding.may_know_readings` says, of images that somebody has read."""
    if not may_know_readings(user):
        return Q()
    begun = Reading.objects.filter(image=OuterRef("image"), replaces=None).order_by()
    return ~_is_missing(begun.filter(reader_id=user.pk)) | ~_is_missing(begun.filter(part=Part.SECOND))


def _signed() -> QuerySet[Reading]:
    """The latest versions of what was signed for a reading's image."""
    return Reading.objects.filter(image=OuterRef("image"), replaced_by=None).order_by()


# Each of these asks one row after the other. EXISTS and joins leave the planner the choice to read a whole table.


def _is(rows: QuerySet[Any, Any], value: str) -> Q:
    return Q(Exact(Subquery(rows[:1]), Value(value)))


def _is_missing(rows: QuerySet[Any]) -> Q:
    return Q(IsNull(Subquery(rows.values("pk")[:1]), True))
