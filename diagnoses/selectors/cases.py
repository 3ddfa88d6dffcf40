"""The history's readings with what stands beside each: what a clinician signed, and whether the user may see it yet."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from django.utils.translation import gettext_lazy as _

from diagnoses.models import Job, Reading, Result
from diagnoses.selectors.hiding import covered_readings, hidden_images
from diagnoses.selectors.signed import final_readings
from diagnoses.selectors.viewers import Viewer
from diagnoses.states import JobStatus

HIDDEN_WORDS = _("Hidden until you have read")
_AT_ONCE = 500


@dataclass(frozen=True)
class Case:
    """A reading as one user may see it."""

    job: Job
    hidden: bool = False
    """Whether its answer, and what others say of it, waits for the user's own reading."""
    reading: Reading | None = None
    """What was signed last of its image; nothing as long as it is hidden."""

    @property
    def result(self) -> Result | None:
        """The answer, where there is one and it may be seen."""
        return self.job.result if self.job.status == JobStatus.DONE and not self.hidden else None


def cases_of(user: Viewer, jobs: Sequence[Job]) -> list[Case]:
    """These readings, which the user may see, as cases, at the cost of a few queries for all."""
    images = {job.image_id for job in jobs}
    hidden, signed = hidden_images(user, images), final_readings(images - covered_readings(user, images))
    return [Case(job, job.image_id in hidden, signed.get(job.image_id)) for job in jobs]


def stream_cases(user: Viewer, jobs: Iterable[Job]) -> Iterator[Case]:
    """The same however many there are, without holding them in memory."""
    rest = iter(jobs)
    while some := list(islice(rest, _AT_ONCE)):
        yield from cases_of(user, some)
