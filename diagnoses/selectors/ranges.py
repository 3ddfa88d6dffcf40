"""What the history can be narrowed to, as ranges of its indexes.

Each range is one stretch of one index, from new to old: its first rows cost the same however long the table is, and
however few of all readings match. No choice is left to the planner, which guesses wrong where filters depend on each
other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from diagnoses.models import Job, ModelVersion
from diagnoses.models.job import Label, Purpose
from diagnoses.selectors.sight import sees_every_study, sight_of
from diagnoses.selectors.viewers import Viewer
from diagnoses.states import JobStatus

Position = tuple[datetime, UUID]
"""A reading's place in the history: when it was asked for, and its key."""

NO_READING = "none"
"""Wanted are images that no clinician has signed a reading of."""


@dataclass(frozen=True)
class HistoryFilter:
    """What to look for. Empty fields do not narrow; dates are whole days of the site, both included."""

    search: str = ""
    label: str = ""
    indeterminate: bool = False
    sure: bool = False
    status: str = ""
    patient_id: str = ""
    model: str = ""
    since: date | None = None
    until: date | None = None
    own: bool = False
    """Only what the user sent."""
    # No index holds these; see `selectors.narrowing`.
    refusal: str = ""
    overridden: bool = False
    urgent: bool = False
    sex: str = ""
    reading: str = ""

    @property
    def asks_for_answers(self) -> bool:
        """Whether what it finds tells of the product's answers."""
        return bool(self.label or self.indeterminate or self.sure or self.reading not in ("", NO_READING))

    @property
    def narrows(self) -> bool:
        """Whether anything is looked for at all."""
        return any(getattr(self, field.name) for field in fields(self))


def condition_of(user: Viewer, wanted: HistoryFilter) -> Q:
    """What the user's readings have to be, but for words and patient, which `selectors.words` looks for."""
    alternatives = _alternatives(wanted)
    seen = _in_sight(user, wanted)
    return reduce(or_, seen) & reduce(or_, alternatives) if seen and alternatives else Q(pk__in=[])


def ranges_of(user: Viewer, wanted: HistoryFilter, after: Position | None = None) -> list[QuerySet[Job]]:
    """The ranges that together hold the same; none overlaps another. With `after` they begin below that place."""
    jobs = Job.objects.exclude(purpose=Purpose.SHADOW)
    if after:
        at, pk = after
        # The first condition is where the index is entered; the second is for those of the same instant.
        jobs = jobs.filter(Q(created_at__lte=at), Q(created_at__lt=at) | Q(id__lt=pk))
    seen = _in_sight(user, wanted)
    return [jobs.filter(circle, alternative) for circle in seen for alternative in _alternatives(wanted)]


def before_end(wanted: HistoryFilter) -> Q:
    """What was made before the last day's end: a reading, or a study that such a reading is of."""
    if wanted.until and wanted.until < date.max:
        return Q(created_at__lt=_beginning(wanted.until + timedelta(days=1)))
    return Q()


def newest(ranges: Sequence[QuerySet[Job]], count: int, *, skipped: int = 0) -> list[Position]:
    """The places of the newest in all ranges together, new to old."""
    return _merged([_in_order(jobs) for jobs in ranges], count, skipped)


def newest_of_few(ranges: Sequence[QuerySet[Job]], count: int) -> list[Position]:
    """The same where each range has been narrowed to few rows by something that leads to them faster than its index."""
    # Sorted by what no index holds, or the planner might walk a whole index for the sake of its order.
    by_sorting = ((F("created_at") + timedelta(0)).desc(), "-id")
    return _merged([jobs.order_by(*by_sorting) for jobs in ranges], count, 0)


def _merged(ranges: Sequence[QuerySet[Job]], count: int, skipped: int) -> list[Position]:
    if not ranges:
        return []
    upto = skipped + count
    first, *others = [jobs.values_list("created_at", "id")[:upto] for jobs in ranges]
    merged = _in_order(first.union(*others, all=True)) if others else first
    return list(merged[skipped:upto])


def _in_order(jobs: Any) -> Any:
    return jobs.order_by("-created_at", "-id")


def _in_sight(user: Viewer, wanted: HistoryFilter) -> list[Q]:
    """The circles that the user sees, which the indexes begin with, within the days.

    Who sees every study goes down the index that holds all readings, and who wants their own down that of owners.
    """
    days = before_end(wanted)
    if wanted.since:
        days &= Q(created_at__gte=_beginning(wanted.since))
    if sees_every_study(user):
        return [Q(owner_id=user.pk) & days if wanted.own else days]
    circles = sight_of(user).circles()
    return [Q(owner_id=user.pk) & days] if circles and wanted.own else [circle & days for circle in circles]


def _alternatives(wanted: HistoryFilter) -> list[Q]:
    return [Q(**version, **outcome) for version in _versions(wanted) for outcome in _outcomes(wanted)]


def _versions(wanted: HistoryFilter) -> list[dict[str, Any]]:
    if not wanted.model:
        return [{}]
    return [{"model_version": pk} for pk in ModelVersion.objects.filter(name=wanted.model).values_list("pk", flat=True)]


def _outcomes(wanted: HistoryFilter) -> list[dict[str, Any]]:
    """Which values of an index's columns match. Only what is done has an answer, and all of that has one."""
    status = wanted.status or (JobStatus.REFUSED if wanted.refusal else "")
    if not (status or wanted.label or wanted.indeterminate or wanted.sure):
        return [{}]
    if status in ("", JobStatus.DONE):
        labels = [wanted.label] if wanted.label else Label.values
        doubts = [True] if wanted.indeterminate else [False] if wanted.sure else [False, True]
        return [{"status": JobStatus.DONE, "label": label, "indeterminate": d} for label in labels for d in doubts]
    if wanted.label or wanted.indeterminate or wanted.sure:
        return []
    return [{"status": status, "label": "", "indeterminate": False}]


def _beginning(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
