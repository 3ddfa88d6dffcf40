"""What became of files that were sent one at a time, and what was sent before."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber

from diagnoses.models import Image, Job, Study
from diagnoses.models.job import BY_URGENCY, Purpose
from diagnoses.selectors.studies import StudyImage, images_visible_to, state_of, visible_to, with_files
from diagnoses.selectors.viewers import Viewer
from diagnoses.selectors.waiting import Waiting, images_per_second
from diagnoses.states import JobStatus


@dataclass(frozen=True)
class SentState:
    """A file that was sent with a key of its own, as it stands now."""

    upload_key: uuid.UUID
    study: Study
    file: StudyImage
    waiting: Waiting | None
    """Its place in the queue; None where it has left it."""


def sent_in(user: Viewer, batches: Sequence[uuid.UUID]) -> list[SentState]:
    """The files of these batches, of what the user sent."""
    studies = list(with_files(visible_to(user).filter(batch__in=batches, submitted_by=user.pk)))
    files = [(study, file) for study in studies for file in state_of(study).images]
    waits = _waits([file.job for _, file in files if file.job and file.job.status == JobStatus.QUEUED])
    return [
        SentState(key, study, file, waits.get(file.job.pk) if file.job else None)
        for study, file in files
        if (key := _key_of(file))
    ]


def sent_before(user: Viewer, digests: Iterable[str], besides: Image | None = None) -> Iterator[Image]:
    """Of each of these contents (SHA-256) the newest image that the user may see, if there is one."""
    images = images_visible_to(user).filter(sha256__in=set(digests))
    if besides:
        images = images.exclude(pk=besides.pk)
    yield from images.select_related("study__subject").order_by("sha256", "-study__created_at").distinct("sha256")


def _key_of(file: StudyImage) -> uuid.UUID | None:
    row = file.job.image if file.job else file.rejected
    return row.upload_key if row else None


def _waits(jobs: Sequence[Job]) -> dict[uuid.UUID, Waiting]:
    """For each of these jobs, which wait, its own place."""
    if not jobs:
        return {}
    queue = Job.objects.filter(status=JobStatus.QUEUED).exclude(purpose=Purpose.SHADOW)
    numbered = queue.annotate(place=Window(RowNumber(), order_by=list(BY_URGENCY)))
    # The place, which is never nought, keeps the condition from narrowing what is numbered.
    own = Q(pk__in=[job.pk for job in jobs]) | Q(place=0)
    places = numbered.filter(own).values_list("pk", F("place"))
    pace = images_per_second()
    return {pk: Waiting(place - 1, place / pace if pace else None) for pk, place in places}
