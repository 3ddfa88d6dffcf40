"""How the pages sum up an image in a word or two."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from diagnoses.models import Job, Result
from diagnoses.models.job import Label
from diagnoses.states import JobStatus


class Verdict(TextChoices):
    """What there is to say of an image; those that a clinician has to look at come first."""

    HIDDEN = "hidden", _("Hidden until you have read")
    PNEUMONIA = "pneumonia", _("Pneumonia")
    CANNOT_SAY = "cannot-say", _("Cannot say")
    REFUSED = "refused", _("Refused")
    FAILED = "failed", _("Failed")
    RUNNING = "running", _("Being read")
    QUEUED = "queued", _("Waiting")
    NORMAL = "normal", _("Normal")


_OF_STATUS = {
    JobStatus.REFUSED: Verdict.REFUSED,
    JobStatus.FAILED: Verdict.FAILED,
    JobStatus.RUNNING: Verdict.RUNNING,
    JobStatus.QUEUED: Verdict.QUEUED,
}


def verdict_of(job: Job | None) -> Verdict:
    """The verdict on a reading; a file that was never taken in has none and counts as refused."""
    if job is None:
        return Verdict.REFUSED
    if job.is_hidden:
        return Verdict.HIDDEN
    status = JobStatus(job.status)
    return _verdict_of_result(job.result) if status is JobStatus.DONE else _OF_STATUS[status]


def _verdict_of_result(result: Result) -> Verdict:
    if result.indeterminate:
        return Verdict.CANNOT_SAY
    return Verdict.PNEUMONIA if result.label == Label.PNEUMONIA else Verdict.NORMAL
