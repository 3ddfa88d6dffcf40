"""A study as its page shows it: what needs the reader first, and per image what may be done."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from django.conf import settings
from django.forms.models import model_to_dict

from diagnoses.imaging.errors import GATE_FAULTS
from diagnoses.models import ModelVersion, PauseChange
from diagnoses.models.job import Label
from diagnoses.selectors.cards import predictive_at
from diagnoses.selectors.pausing import pause_of_late
from diagnoses.selectors.readings import SignedReadings, signed_readings
from diagnoses.selectors.studies import StudyImage, StudyState
from diagnoses.selectors.viewers import Viewer
from diagnoses.states import ENDED, JobStatus
from diagnoses.views.verdicts import Verdict, verdict_of


@dataclass(frozen=True)
class ShownImage:
    """An image with what can be said and done beside its answer."""

    image: StudyImage
    other_models: list[ModelVersion]
    """Versions that it can be read again with."""
    signed: SignedReadings
    """What clinicians say of it."""
    draft: Mapping[str, str]
    """What was filled in and could not be signed."""
    pause: PauseChange | None

    @property
    def filled_in(self) -> Mapping[str, str]:
        """What the form for a reading holds."""
        own = self.signed.own
        return self.draft or (model_to_dict(own.reading, ["finding", "agreement", "text"]) if own else {})

    @property
    def sure_label(self) -> str:
        """The answer that a reader can agree with; empty where none is shown, or it cannot say."""
        result = self.image.result
        return "" if result is None or result.indeterminate else result.label

    @property
    def is_before_pause(self) -> bool:
        """Whether its answer was given before the pause that lasts."""
        return self.pause is not None and self.image.result is not None and self.image.result.created_at < self.pause.at

    @property
    def verdict(self) -> Verdict:
        """The answer in a word or two."""
        return verdict_of(self.image.job)

    @property
    def state(self) -> str:
        """Changes whenever anything does that is shown of the image. A token grows with each claim of a job."""
        if not self.image.job:
            return self.image.status
        jobs = [f"{job.pk}:{job.status}:{job.token}:{job.is_hidden:d}" for job in self.image.jobs]
        return " ".join([*jobs, self.signed.fingerprint, str(self.pause.pk if self.pause else "")])

    @property
    def can_be_overridden(self) -> bool:
        """Whether the gate refused it, as a person may think wrong."""
        refused = self.image.job is not None and self.image.status is JobStatus.REFUSED
        return refused and self.image.error_code in GATE_FAULTS

    @property
    def can_be_read_again(self) -> bool:
        """Whether its reading has ended and another model is at hand."""
        return self.image.status in ENDED and bool(self.other_models)

    @property
    def models_disagree(self) -> bool:
        """Whether its readings, with whichever model, come to different verdicts."""
        if self.image.is_hidden:
            return False
        return len({verdict_of(job) for job in self.image.jobs if job.status == JobStatus.DONE}) > 1

    @cached_property
    def share_right(self) -> float | None:
        """The share (0 to 1) of answers like this one that are right at the site's prevalence.

        None where that is not known, there is no sure answer, or a warning says that the model's figures do not hold.
        """
        result = self.image.result
        if self.image.job is None or result is None or result.indeterminate or result.warnings:
            return None
        values = predictive_at(self.image.job.model_version, settings.CXR_PREVALENCE)
        if values is None:
            return None
        return values.ppv if result.label == Label.PNEUMONIA else values.npv


@dataclass(frozen=True)
class Draft:
    """What a reader filled in for an image and could not sign."""

    image_id: uuid.UUID
    said: Mapping[str, str]


@dataclass(frozen=True)
class Group:
    """The images of one verdict."""

    verdict: Verdict
    images: list[ShownImage]


def shown_images(
    user: Viewer, state: StudyState, versions: Sequence[ModelVersion], draft: Draft | None = None
) -> list[ShownImage]:
    """The images of a study, in the order sent, for this user; `versions` are those that can read here."""
    pause = pause_of_late()
    return [
        ShownImage(
            image,
            _without(versions, image),
            signed_readings(user, image.readings),
            draft.said if draft and image.job and image.job.image_id == draft.image_id else {},
            pause,
        )
        for image in state.images
    ]


def at_a_glance(images: Sequence[ShownImage]) -> list[Group]:
    """The images by verdict, what needs a person first; nothing where there is one image, which speaks for itself."""
    if len(images) < 2:
        return []
    groups = [Group(verdict, [shown for shown in images if shown.verdict is verdict]) for verdict in Verdict]
    return [group for group in groups if group.images]


def _without(versions: Sequence[ModelVersion], image: StudyImage) -> list[ModelVersion]:
    tried = {job.model_version_id for job in image.jobs}
    return [version for version in versions if image.job and version.pk not in tried]
