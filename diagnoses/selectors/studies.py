"""Studies as a user may see them. Everything that shows a study starts here."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Prefetch, QuerySet

from diagnoses.models import Image, Job, Reading, RejectedFile, Result, Study
from diagnoses.models.job import Purpose
from diagnoses.selectors.hiding import cover
from diagnoses.selectors.sight import sees_every_study, sight_of
from diagnoses.selectors.viewers import Viewer
from diagnoses.states import ENDED, JobStatus


def visible_to(user: Viewer) -> QuerySet[Study]:
    """The studies that a user may open: their own, their department's, and those of a patient in an emergency.

    With the right to it every one of the site.
    """
    if not user.is_authenticated or not user.is_active:
        return Study.objects.none()
    return Study.objects.all() if sees_every_study(user) else Study.objects.filter(sight_of(user).of_studies)


def listed_for(user: Viewer) -> QuerySet[Study]:
    """Those of them that lists are made of: all but what is seen in an emergency alone."""
    if not user.is_authenticated or not user.is_active:
        return Study.objects.none()
    return Study.objects.all() if sees_every_study(user) else Study.objects.filter(sight_of(user).of_lists)


def jobs_visible_to(user: Viewer) -> QuerySet[Job]:
    """The readings of those studies, with all that a list or a page says of them; a shadow's are nobody's to see."""
    return (
        Job.objects.filter(image__study__in=visible_to(user))
        .exclude(purpose=Purpose.SHADOW)
        .select_related("image__study__subject", "model_version", "result")
        .defer("model_version__card")
    )


def images_visible_to(user: Viewer) -> QuerySet[Image]:
    """The images of those studies."""
    return Image.objects.filter(study__in=visible_to(user)).select_related("study__subject")


@dataclass(frozen=True)
class StudyImage:
    """One file of a study as people see it: its latest job and those before, or why it was not taken in."""

    position: int
    filename: str
    job: Job | None = None
    rejected: RejectedFile | None = None
    other_jobs: list[Job] = field(default_factory=list)
    """Readings by other versions before the latest, newest first."""
    readings: list[Reading] = field(default_factory=list)
    """What clinicians have signed, newest first, edited or not."""

    @property
    def jobs(self) -> list[Job]:
        """All of its readings that may be seen, newest first."""
        return [self.job, *self.other_jobs] if self.job else []

    @property
    def status(self) -> JobStatus:
        """Where its reading stands; a file that was not taken in counts as refused."""
        return JobStatus(self.job.status) if self.job else JobStatus.REFUSED

    @property
    def result(self) -> Result | None:
        """The answer, where there is one and it may be shown."""
        shown = self.job and self.status is JobStatus.DONE and not self.job.is_hidden
        return self.job.result if self.job and shown else None

    @property
    def is_hidden(self) -> bool:
        """Whether it has answers that its viewer may see only after reading it."""
        return any(job.is_hidden for job in self.jobs)

    @property
    def error_code(self) -> str:
        """Why there will be no answer; empty otherwise."""
        return self.job.error_code if self.job else self.rejected.code if self.rejected else ""

    @property
    def error_message(self) -> str:
        """The same in words, in the reader's language."""
        return self.job.error_words if self.job else self.rejected.words if self.rejected else ""


@dataclass(frozen=True)
class StudyState:
    """A study with all of its files, in the order sent."""

    study: Study
    images: list[StudyImage]

    @property
    def ended_count(self) -> int:
        """How many of its files have their answer."""
        return sum(image.status in ENDED for image in self.images)

    @property
    def ended(self) -> bool:
        """Whether nothing is going to happen to it by itself any more."""
        return self.ended_count == len(self.images)

    @property
    def fingerprint(self) -> str:
        """Changes whenever one of its images gets another reading, or one of the readings another state."""
        jobs = [f"{job.pk} {job.status}" for image in self.images for job in image.jobs]
        return ",".join([*jobs, *(str(reading.pk) for image in self.images for reading in image.readings)])


def with_files(studies: QuerySet[Study]) -> QuerySet[Study]:
    """The same studies, ready for `state_of`: five queries, however many there are."""
    shown = Job.objects.exclude(purpose=Purpose.SHADOW)
    jobs = shown.select_related("result", "model_version").order_by("-created_at", "-id")
    return studies.prefetch_related(Prefetch("images__jobs", queryset=jobs), "images__readings", "rejected_files")


def state_of(study: Study) -> StudyState:
    """The state of a study that came through `with_files`, with no answer hidden."""
    return StudyState(study, sorted(_files_of(study), key=lambda image: image.position))


def states_of(user: Viewer, studies: Iterable[Study]) -> list[StudyState]:
    """The states of studies that came through `with_files`, for a user who may not see every answer yet."""
    states = [state_of(study) for study in studies]
    cover(user, [job for state in states for image in state.images for job in image.jobs])
    return states


def study_state(user: Viewer, study_id: uuid.UUID) -> StudyState:
    """A study with its files and answers. Raises Study.DoesNotExist for what is not visible."""
    [state] = states_of(user, [with_files(visible_to(user)).get(pk=study_id)])
    return state


def _files_of(study: Study) -> list[StudyImage]:
    files = [StudyImage(row.position, row.filename, rejected=row) for row in study.rejected_files.all()]
    for image in study.images.all():
        jobs = list(image.jobs.all())
        for job in jobs:
            job.image = image
        # The latest reading counts; those before, by other versions, stand beside it.
        signed = list(image.readings.all())
        files.append(StudyImage(image.position, image.filename, jobs[0], other_jobs=jobs[1:], readings=signed))
    return files
