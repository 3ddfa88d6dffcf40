"""What a row of the worklist says of a study."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from diagnoses.models import Job
from diagnoses.selectors.studies import StudyImage
from diagnoses.selectors.worklist import WorklistStudy
from diagnoses.services.samples import is_sample
from diagnoses.states import JobStatus
from diagnoses.views.verdicts import Verdict, verdict_of


@dataclass(frozen=True)
class WorklistRow:
    """A study as its row shows it. Of an answer that is hidden from the user it says nothing."""

    of: WorklistStudy

    @property
    def study(self) -> object:
        """The study itself."""
        return self.of.state.study

    @property
    def is_sample(self) -> bool:
        """Whether it is no patient's."""
        return is_sample(self.of.state.study)

    @cached_property
    def images(self) -> list[StudyImage]:
        """What was taken in and is read."""
        return [image for image in self.of.state.images if image.job]

    @property
    def rejected_count(self) -> int:
        """Files that were not taken in."""
        return len(self.of.state.images) - len(self.images)

    @cached_property
    def hides_answers(self) -> bool:
        """Whether the user has to read before an answer of it is shown."""
        return len(self._shown) < len(self.images)

    @cached_property
    def verdicts(self) -> list[tuple[Verdict, int]]:
        """Each verdict that may be shown with the number of its images, what needs a person first."""
        counts = Counter(verdict_of(image.job) for image in self._shown)
        return [(verdict, counts[verdict]) for verdict in Verdict if counts[verdict]]

    @property
    def probability(self) -> float | None:
        """The highest among the images of the worst verdict; None where that has none."""
        worst = self._worst
        return max((job.result.probability for job in worst if job.status == JobStatus.DONE), default=None)

    @property
    def refusals(self) -> list[str]:
        """Codes of why images of the worst verdict have no answer."""
        return list(dict.fromkeys(job.error_code for job in self._worst if job.error_code))

    @property
    def has_warnings(self) -> bool:
        """Whether there is something to know beside an answer."""
        return any(job.status == JobStatus.DONE and bool(job.result.warnings) for job in self._jobs)

    @property
    def is_overridden(self) -> bool:
        """Whether a person had an image read that was refused."""
        return any(job.override_code for job in self._jobs)

    @property
    def readers(self) -> list[str]:
        """Who has signed a reading."""
        return self.of.readers

    @property
    def state(self) -> str:
        """Changes whenever anything does that the row says."""
        jobs = [f"{job.pk} {job.status} {job.token}" for image in self.images for job in image.jobs]
        said = [self.of.state.study.urgent, self.hides_answers, self.readers, self.rejected_count, *jobs]
        return sha256(repr(said).encode()).hexdigest()[:12]

    @property
    def _shown(self) -> list[StudyImage]:
        return [
            image
            for image in self.images
            if image.job and not (image.status is JobStatus.DONE and image.job.image_id in self.of.hidden)
        ]

    @property
    def _jobs(self) -> list[Job]:
        return [image.job for image in self._shown if image.job]

    @property
    def _worst(self) -> list[Job]:
        return [job for job in self._jobs if verdict_of(job) is self.verdicts[0][0]]
