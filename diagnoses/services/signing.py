"""Signing what a clinician says of an image."""

import uuid
from dataclasses import dataclass, replace

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from diagnoses import audit, notices
from diagnoses.audit import Actor
from diagnoses.models import Image, Job, Reading, Result
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import Purpose
from diagnoses.models.reading import Agreement, Finding
from diagnoses.roles import MAY_SIGN
from diagnoses.selectors.hiding import is_hidden, was_unseen
from diagnoses.selectors.readings import agreement_of, current_readings, part_of
from diagnoses.states import JobStatus


class SigningError(Exception):
    """What was filled in cannot be signed; the text says why and what to do."""


class SigningConflictError(SigningError):
    """Somebody, or the same reader elsewhere, was faster."""


@dataclass(frozen=True)
class Statement:
    """What a reader fills in, and what stood before them then."""

    finding: str = ""
    agreement: str = ""
    text: str = ""
    replaces: uuid.UUID | None = None
    """Their reading that this one takes the place of."""
    answer: uuid.UUID | None = None
    """The job whose answer was on the page."""


def sign_reading(*, actor: Actor, image: Image, statement: Statement) -> Reading:
    """Sign a reading of an image that the actor may see, in the part that is theirs; an edit is a new reading.

    What is signed before there is an answer keeps the job that was to give it. Raises PermissionDenied for who may not
    sign, SigningError for what contradicts itself, and SigningConflictError where things have changed meanwhile.
    """
    user = actor.user
    if user is None or not user.has_perm(MAY_SIGN):
        raise PermissionDenied
    job = Job.objects.filter(image=image).exclude(purpose=Purpose.SHADOW).select_related("result").first()
    result = job.result if job and job.status == JobStatus.DONE else None
    if is_hidden(user, image.pk):
        statement = replace(statement, agreement="")  # with what they may not know, and must not learn by trying
    _check_answer(statement, job)
    finding = _finding_of(statement, result)
    with transaction.atomic():
        try:
            with transaction.atomic():
                reading = _insert(user, image, job, statement, finding)
        except IntegrityError as error:
            raise _was_faster() from error
        audit.record(
            AuditAction.READING_SIGNED,
            actor,
            reading,
            image=str(image.pk),
            part=reading.part,
            finding=reading.finding,
            agreement=reading.agreement,
            answer_shown=reading.answer_shown,
            replaces=str(reading.replaces_id or ""),
        )
        notices.tell([image.study_id])
    return reading


def _insert(user: User, image: Image, job: Job | None, statement: Statement, finding: str) -> Reading:
    readings = list(image.readings.all())
    part = part_of(user, readings)
    if part is None:
        raise SigningConflictError(_not_wanted(readings))
    own = current_readings(readings).get(part)
    if own != (None if statement.replaces is None else Reading(pk=statement.replaces)):
        raise _was_faster()
    result = job.result if job and job.status == JobStatus.DONE else None
    reading = Reading.objects.create(
        image=image,
        job=job,
        reader=user,
        reader_name=user.get_username(),
        part=part,
        finding=finding,
        agreement=agreement_of(finding, result),
        text=statement.text.strip(),
        answer_shown=any(not was_unseen(user, answered) for answered in _answered(image)),
        replaces=own,
    )
    reading.refresh_from_db()
    return reading


def _answered(image: Image) -> QuerySet[Job]:
    """All readings of the image that gave an answer: each of them may have been seen."""
    done = Job.objects.filter(image=image, status=JobStatus.DONE).exclude(purpose=Purpose.SHADOW)
    return done.select_related("result")


def _finding_of(statement: Statement, result: Result | None) -> str:
    """The finding, filled in from the agreement where that leaves no choice, and held against it."""
    said = statement.agreement
    finding = statement.finding or _implied(said, result)
    if not finding:
        raise SigningError(_("Say what you see: choose a finding."))
    meant = agreement_of(finding, result)
    if not said or result is None or result.indeterminate or said == meant:
        return finding
    names = {"finding": Finding(finding).label, "answer": result.get_label_display()}
    if said == Agreement.AGREE:
        words = _("You agree with “%(answer)s”, but your finding is “%(finding)s”. Change one of the two.")
    elif said == Agreement.DISAGREE:
        words = _("You disagree with “%(answer)s”, but your finding is “%(finding)s”. Change one of the two.")
    else:
        words = _("You cannot tell if “%(answer)s” is right, but your finding is “%(finding)s”. Change one of the two.")
    raise SigningError(words % names)


def _implied(agreement: str, result: Result | None) -> str:
    if agreement == Agreement.CANNOT_TELL:
        return Finding.CANNOT_TELL
    return result.label if agreement == Agreement.AGREE and result else ""


def _check_answer(statement: Statement, job: Job | None) -> None:
    """An agreement is with the answer that was on the page."""
    if statement.agreement and statement.answer != (job.pk if job else None):
        raise SigningConflictError(
            _("The answer on this page has changed while you read. Look at the new one, then sign again.")
        )


def _not_wanted(readings: list[Reading]) -> str:
    names = ", ".join(reading.reader_name for reading in current_readings(readings).values())
    return _("This image has been read by %(names)s meanwhile, and needs no other reading.") % {"names": names}


def _was_faster() -> SigningConflictError:
    return SigningConflictError(
        _(
            "A reading of this image was signed meanwhile, in another window or by somebody else. It is shown here; "
            "yours was not signed. What you wrote is still in the form: sign again if it should stand."
        )
    )
