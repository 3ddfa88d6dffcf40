"""How a version that reads beside the default compares with it. For administrators: numbers, and no pictures."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, FilteredRelation, Q, QuerySet

from diagnoses.models import Job, ModelVersion
from diagnoses.models.job import Purpose
from diagnoses.states import JobStatus

MOST_ROWS = 100

_ANSWERED = (JobStatus.DONE, JobStatus.REFUSED)
_BOTH_DONE = Q(status=JobStatus.DONE, primary__status=JobStatus.DONE)
_SAME_LABEL = _BOTH_DONE & Q(result__label=F("primary__result__label"))
_OTHER_LABEL = _BOTH_DONE & ~Q(result__label=F("primary__result__label"))
_REFUSED_DIFFERENTLY = ~Q(status=F("primary__status"))


@dataclass(frozen=True)
class ShadowAnswer:
    """What one of the two said: a label with its calibrated probability (0 to 1), or the code of its refusal."""

    model: str
    label: str
    probability: float | None
    refusal: str


@dataclass(frozen=True)
class ShadowRow:
    """An image of which the two say different things."""

    study_id: uuid.UUID
    image_id: uuid.UUID
    sent_at: datetime
    primary: ShadowAnswer
    shadow: ShadowAnswer


@dataclass(frozen=True)
class ShadowComparison:
    """How many images both have answered, of how many they say the same, and those where they do not.

    `compared` counts the images that each of the two has read or refused; where neither the labels nor the refusals
    differ nor the labels are the same, both refused. At most a hundred rows, newest first.
    """

    compared: int
    same_label: int
    other_label: int
    refused_differently: int
    rows: list[ShadowRow]


def shadow_comparison(version: ModelVersion) -> ShadowComparison:
    """What `version` said beside the readings that clinicians got, whether as a shadow or asked for later.

    An image whose refusal a clinician overrode is left out: there the two were not asked the same.
    """
    jobs = _beside_primary(version)
    counts = jobs.aggregate(
        compared=Count("pk"),
        same_label=Count("pk", filter=_SAME_LABEL),
        other_label=Count("pk", filter=_OTHER_LABEL),
        refused_differently=Count("pk", filter=_REFUSED_DIFFERENTLY),
    )
    disagreements = jobs.filter(_OTHER_LABEL | _REFUSED_DIFFERENTLY).order_by("-image__study__created_at", "-id")
    rows = disagreements.select_related("image__study", "result", "model_version")[:MOST_ROWS]
    return ShadowComparison(rows=_rows_of(list(rows)), **counts)


def _beside_primary(version: ModelVersion) -> "QuerySet[Job]":
    """The version's jobs, each with the image's job that clinicians got first, as `primary`."""
    first = FilteredRelation("image__jobs", condition=Q(image__jobs__purpose=Purpose.PRIMARY))
    return (
        Job.objects.filter(model_version=version, status__in=_ANSWERED, override_code="")
        .exclude(purpose=Purpose.PRIMARY)
        .annotate(primary=first)
        .filter(primary__status__in=_ANSWERED, primary__override_code="")
    )


def _rows_of(jobs: list[Job]) -> list[ShadowRow]:
    primaries = Job.objects.filter(image__in=[job.image_id for job in jobs], purpose=Purpose.PRIMARY)
    primary_of = {job.image_id: job for job in primaries.select_related("result", "model_version")}
    return [
        ShadowRow(
            job.image.study_id,
            job.image_id,
            job.image.study.created_at,
            _answer(primary_of[job.image_id]),
            _answer(job),
        )
        for job in jobs
    ]


def _answer(job: Job) -> ShadowAnswer:
    model = str(job.model_version)
    if job.status == JobStatus.REFUSED:
        return ShadowAnswer(model, "", None, job.error_code)
    return ShadowAnswer(model, job.result.label, job.result.probability, "")
