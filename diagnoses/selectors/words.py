"""Looking for words and patients in the history: one by one where matches are near, by an index where they are rare.

Words are found by what stands for them, and only as a whole. Which way is right depends on how common a word is, so the
nearest readings are asked first, a fixed number of them: a page's worth of a common word is among these, and one that
is not among them is rare enough for an index.
"""

from collections.abc import Sequence

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, Func, Q, QuerySet

from diagnoses import sealing
from diagnoses.models import Image, Job
from diagnoses.selectors.patients import find_patient
from diagnoses.selectors.ranges import HistoryFilter, Position, newest
from diagnoses.selectors.viewers import Viewer

_LOOKED_THROUGH = 10_000


def asked_for(wanted: HistoryFilter) -> bool:
    """Whether there is anything to look for here."""
    return bool(wanted.search or wanted.patient_id)


def condition_of(wanted: HistoryFilter) -> Q:
    """What a reading has to be. A patient whom nobody knows has none."""
    condition = Q()
    if wanted.patient_id:
        condition &= Q(image__study__subject=find_patient(wanted.patient_id))
    if wanted.search:
        condition &= Q(words__contains=sealing.looked_for(wanted.search))
    return condition


def look_through(wanted: HistoryFilter, ranges: Sequence[QuerySet[Job]], count: int) -> list[Position] | None:
    """The first `count` places that match, found among the nearest readings; None where these do not hold so many.

    Where there are no further readings, what was found is all there is. A patient's are always few enough for an index.
    """
    if wanted.patient_id:
        return None
    end = newest(ranges, 1, skipped=_LOOKED_THROUGH)
    near = [jobs.filter(created_at__gt=end[0][0]) for jobs in ranges] if end else ranges
    found = newest([jobs.filter(condition_of(wanted)) for jobs in near], count)
    return found if len(found) == count or not end else None


def look_up(user: Viewer, wanted: HistoryFilter, ranges: Sequence[QuerySet[Job]]) -> list[QuerySet[Job]]:
    """The ranges narrowed to what matches, by the indexes of words and patients."""
    images = Image.objects.order_by()
    if wanted.patient_id:
        images = images.filter(study__subject=find_patient(wanted.patient_id))
    if wanted.search:
        images = images.filter(words__contains=sealing.looked_for(wanted.search))
    found = ArraySubquery(images.values("pk"))
    return [jobs.filter(_IsOneOf("image", found)) for jobs in ranges]


class _IsOneOf(Func):
    """Whether the first is in the second, an array. Unlike a join it is always answered by the first one's index."""

    arg_joiner = " = ANY ("
    template = "%(expressions)s)"
    output_field = BooleanField()
