"""The worklist: what a user may see and somebody should look at, what needs a person first at its top."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    IntegerChoices,
    Min,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Value,
    When,
    Window,
)

from diagnoses.models import Job, Reading, Study
from diagnoses.models.job import Label, Purpose
from diagnoses.models.reading import Part
from diagnoses.selectors.hiding import blind_images, hidden_images, reads_first
from diagnoses.selectors.sight import sees_every_study, sight_of
from diagnoses.selectors.studies import StudyState, listed_for, state_of
from diagnoses.selectors.viewers import Viewer
from diagnoses.states import JobStatus

PAGE_SIZE = 50


class Need(IntegerChoices):
    """How much an image needs a person, the most first. What is hidden from the user is not known to the list, too."""

    PNEUMONIA = 1
    CANNOT_SAY = 2
    REFUSED = 3
    FAILED = 4
    NOT_KNOWN = 5
    NORMAL = 6


@dataclass(frozen=True)
class WorklistStudy:
    """A study of the list as the user may see it."""

    state: StudyState
    hidden: set[UUID] = field(default_factory=set)
    """Images whose answer the user shall not see yet."""
    readers: list[str] = field(default_factory=list)
    """Who has signed a reading of one of its images."""


Rows = QuerySet[Any, Any]
"""Readings grouped by study: no model's rows, so that nothing is known of their types."""


def in_need(user: Viewer, since: datetime) -> Rows:
    """A row for each study that was sent since then: its key as `study`, by the latest readings of its images.

    Unread ones before read ones, then urgent ones, then by need, then the oldest, who has waited longest. What narrows
    it may ask for `need` and `lacking` of the readings that make up a row, and for `unread`, how many lack a person's.
    """
    hidden = blind_images(user, "image__") if reads_first(user) else None
    jobs = _latest(user, since).alias(need=_need(hidden), lacking=_lacks_reading())
    rows = jobs.order_by().values(study=F("image__study"))
    grouped = rows.annotate(
        worst=Min("need"),
        unread=Count("pk", filter=Q(lacking=True)),
        is_read=Case(When(unread=0, then=True), default=False),
    )
    return grouped.order_by("is_read", "-image__study__urgent", "worst", "image__study__created_at", "study")


def page_of(rows: Rows, number: int) -> tuple[list[UUID], int]:
    """The studies of one page, counted from 1, and how many there are on all pages together."""
    first = (number - 1) * PAGE_SIZE
    counted = rows.annotate(total=Window(Count("*")))[first : first + PAGE_SIZE]
    page = list(counted.values_list("study", "total"))
    return [study for study, _ in page], page[0][1] if page else 0


def studies_of(user: Viewer, study_ids: Sequence[UUID]) -> list[WorklistStudy]:
    """Those of these studies that the user may see, in the same order."""
    found = {study.pk: study for study in _with_all(listed_for(user).filter(pk__in=study_ids))}
    studies = [found[pk] for pk in study_ids if pk in found]
    hidden = hidden_images(user, [image.pk for study in studies for image in study.images.all()])
    return [WorklistStudy(state_of(study), hidden, _readers_of(study)) for study in studies]


def _latest(user: Viewer, since: datetime) -> QuerySet[Job]:
    """The latest reading of each image of those studies. No study is younger than its readings."""
    shown = Job.objects.exclude(purpose=Purpose.SHADOW)
    circles = [Q()] if sees_every_study(user) else sight_of(user).circles()
    in_circles = shown.filter(reduce(or_, circles)) if circles else shown.none()
    later = Q(created_at__gt=OuterRef("created_at")) | Q(created_at=OuterRef("created_at"), pk__gt=OuterRef("pk"))
    newer = shown.filter(later, image=OuterRef("image"))
    in_sight = in_circles.filter(created_at__gte=since, image__study__created_at__gte=since)
    return in_sight.filter(image__study__in=listed_for(user)).exclude(Exists(newer)).order_by()


def _lacks_reading() -> Any:
    """Whether a reading that the site wants of each image is not signed yet.

    It wants a first, and where it says so a second, and an arbiter's where these two differ as they stand now.
    """
    signed = Reading.objects.filter(image=OuterRef("image"))
    if not settings.CXR_SECOND_READER:
        return ~Exists(signed)
    first, second = (signed.filter(part=part) for part in (Part.FIRST, Part.SECOND))
    differing = second.filter(replaced_by=None).exclude(finding=OuterRef("finding"))
    is_disputed = Exists(first.filter(Exists(differing), replaced_by=None))
    return ~Exists(first) | ~Exists(second) | is_disputed & ~Exists(signed.filter(part=Part.ARBITER))


def _need(hidden: Q | None) -> Case:
    """The need of each image; `hidden` says whose answer the user shall not see yet."""
    return Case(
        *([When(hidden, status=JobStatus.DONE, then=Value(Need.NOT_KNOWN))] if hidden else []),
        When(status__in=[JobStatus.QUEUED, JobStatus.RUNNING], then=Value(Need.NOT_KNOWN)),
        When(status=JobStatus.REFUSED, then=Value(Need.REFUSED)),
        When(status=JobStatus.FAILED, then=Value(Need.FAILED)),
        When(indeterminate=True, then=Value(Need.CANNOT_SAY)),
        When(label=Label.PNEUMONIA, then=Value(Need.PNEUMONIA)),
        default=Value(Need.NORMAL),
    )


def _with_all(studies: QuerySet[Study]) -> QuerySet[Study]:
    """With what a row says of them: as many queries as there are tables, however many studies."""
    jobs = Job.objects.exclude(purpose=Purpose.SHADOW).select_related("result", "model_version")
    light = jobs.defer("model_version__card", "result__heatmap").order_by("-created_at", "-id")
    readings = Prefetch("images__readings", queryset=Reading.objects.order_by("signed_at", "id"))
    return studies.prefetch_related(Prefetch("images__jobs", queryset=light), readings, "rejected_files")


def _readers_of(study: Study) -> list[str]:
    names = [reading.reader_name for image in study.images.all() for reading in image.readings.all()]
    return list(dict.fromkeys(names))
