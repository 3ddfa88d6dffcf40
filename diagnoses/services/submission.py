"""Taking in what people send."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from diagnoses import audit, queue, sealing, storage
from diagnoses.audit import Actor
from diagnoses.models import Image, Job, ModelVersion, RejectedFile, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import Purpose
from diagnoses.selectors.registry import can_read_here, live_model_version, shadow_model_version
from diagnoses.selectors.sight import department_of
from diagnoses.selectors.studies import state_of, with_files
from diagnoses.selectors.waiting import images_per_second, queued_count
from diagnoses.services.patients import patient_for
from diagnoses.services.receiving import FileError, SentFile, content_of, read_sent, receive, shown_name

_GUESSED_IMAGES_PER_SECOND = 10.0
_LONGEST_RETRY_SECONDS = 600
_EARLIEST_BIRTH = 1900


class SubmissionError(Exception):
    """Nothing of what was sent could be taken, whatever the files hold; the text is for the sender."""

    retry_after_seconds: int | None = None
    """When the same may be sent again, where time is all that it takes."""


class QueueFullError(SubmissionError):
    """So much waits already that nothing more is taken for now."""

    def __init__(self, waiting: int, retry_after_seconds: int) -> None:
        words = ngettext(
            "{count} image waits to be read already, and no more are taken until there are fewer. Nothing was kept: "
            "send these again in {seconds} s.",
            "{count} images wait to be read already, and no more are taken until there are fewer. Nothing was kept: "
            "send these again in {seconds} s.",
            waiting,
        )
        super().__init__(words.format(count=waiting, seconds=retry_after_seconds))
        self.retry_after_seconds = retry_after_seconds


class KeyReusedError(SubmissionError):
    """The idempotency key stands for other files, or other words about them."""


def check_birth_date(value: date) -> None:
    """Whether somebody who is X-rayed can have been born then. Raises ValidationError, without the date."""
    if value > timezone.localdate():
        raise ValidationError(_("This birth date lies in the future. Look at the year."))
    if value.year < _EARLIEST_BIRTH:
        words = _("This birth date lies before {year}. Look at the year, or leave it empty.")
        raise ValidationError(words.format(year=_EARLIEST_BIRTH))


@dataclass(frozen=True)
class StudyDetails:
    """What the sender says of the study. All of it is optional."""

    patient_id: str = ""
    patient_sex: str = ""
    patient_birth_date: date | None = None
    accession_number: str = ""
    clinical_note: str = ""
    urgent: bool = False


@dataclass(frozen=True)
class Answer:
    """What became of one file: the job that will read it, or an error."""

    filename: str
    job: Job | None = None
    error: FileError | None = None


@dataclass(frozen=True)
class Submission:
    """The study with one answer per file, in the order sent; no study where no file was usable."""

    study: Study | None
    answers: list[Answer]


def submit_study(
    *,
    actor: Actor,
    files: Sequence[SentFile],
    details: StudyDetails,
    model_version: ModelVersion | None = None,
    idempotency_key: str = "",
) -> Submission:
    """Check and keep each file on its own, then commit study, images, jobs and audit together, then ring.

    The images are read with `model_version`, by default the live one. What was sent before with the same
    `idempotency_key` is not taken in again; the study of then is given back as it stands now. Raises SubmissionError
    where nobody is signed in, for no files or too many, or without a model to read them; QueueFullError while too much
    waits, and KeyReusedError where the key stands for something else.
    """
    if actor.user is None:
        raise SubmissionError(_("Sign in to send studies."))
    _check_count(len(files))
    key = _Key(sealing.key_digest(idempotency_key), repr((details, model_version and str(model_version))))
    if _was_used(actor, key):
        return _as_it_stands(actor, key, _fingerprint(key, [content_of(file, read_sent(file)) for file in files]))
    check_room(len(files))
    try:
        return _take_in(actor, files, details, reader_of(model_version), key)
    except _SentBeforeError as sent_before:
        return _as_it_stands(actor, key, sent_before.fingerprint)


@dataclass(frozen=True)
class _Key:
    """What stands for the sender's own name for what is sent, empty for none, and what was said of it."""

    name: str
    said: str


class _SentBeforeError(Exception):
    """A study with this key is there already."""

    def __init__(self, fingerprint: str) -> None:
        super().__init__()
        self.fingerprint = fingerprint


def _take_in(
    actor: Actor, files: Sequence[SentFile], details: StudyDetails, reader: ModelVersion, key: _Key
) -> Submission:
    kept: list[Image | FileError] = []
    contents: list[str] = []
    commit_tried = False
    try:
        for file in files:
            item, content = receive(file)
            kept.append(item)
            contents.append(content)
        if not any(isinstance(item, Image) for item in kept):
            return _refuse_all(actor, files, kept)
        with transaction.atomic():
            study = _new_study(actor, details, key, contents)
            submission = _commit(actor, study, files, kept, reader)
            transaction.on_commit(queue.ring, robust=True)
            commit_tried = True
    except BaseException:
        # A connection that is lost during COMMIT leaves open whether it took place. A file without a row is litter; a
        # row without its file is a lost study.
        if not commit_tried:
            _remove(kept)
        raise
    return submission


def _was_used(actor: Actor, key: _Key) -> bool:
    return bool(key.name) and Study.objects.filter(submitted_by=actor.user, idempotency_key=key.name).exists()


def was_sent(actor: Actor, idempotency_key: str) -> bool:
    """Whether the actor has a study of this key, so that what comes with it is compared and not taken in."""
    return _was_used(actor, _Key(sealing.key_digest(idempotency_key), ""))


def _new_study(actor: Actor, details: StudyDetails, key: _Key, contents: list[str]) -> Study:
    assert actor.user is not None  # noqa: S101 - for the type checker; nobody gets here without
    fields = {
        **vars(details),
        "submitted_by": actor.user,
        "department": department_of(actor.user),
        "subject": patient_for(details.patient_id),
    }
    if not key.name:
        return Study.objects.create(**fields)
    fingerprint = _fingerprint(key, contents)
    try:
        with transaction.atomic():
            return Study.objects.create(**fields, idempotency_key=key.name, idempotency_fingerprint=fingerprint)
    except IntegrityError as error:
        raise _SentBeforeError(fingerprint) from error


def _fingerprint(key: _Key, contents: list[str]) -> str:
    """The same for the same files in the same order with the same words about them, whatever became of them."""
    return sealing.fingerprint_of((key.said, contents))


def _as_it_stands(actor: Actor, key: _Key, fingerprint: str) -> Submission:
    """What was sent with this key before, with the state that each file is in now."""
    study = with_files(Study.objects.filter(submitted_by=actor.user)).get(idempotency_key=key.name)
    if study.idempotency_fingerprint != fingerprint:
        raise KeyReusedError(
            _(
                "This Idempotency-Key was used for other files or other words about them. Nothing was kept: send these "
                "with a key of their own."
            )
        )
    return Submission(
        study,
        [
            Answer(
                image.filename, image.job, FileError(image.error_code, image.error_message) if not image.job else None
            )
            for image in state_of(study).images
        ],
    )


def _remove(kept: Iterable[Image | FileError]) -> None:
    for item in kept:
        if isinstance(item, Image):
            storage.remove(item.stored_name)


def reader_of(wanted: ModelVersion | None) -> ModelVersion:
    """Who is to read: the model that is wanted, or the live one. Raises SubmissionError where it cannot."""
    version = wanted or live_model_version()
    if version is None:
        raise SubmissionError(_("No model is registered on this site yet. Ask your administrator to register one."))
    # The live one is taken while the workers that are there lack it, too: a study is kept until one comes that has it.
    if not version.available or not (version.is_live or can_read_here(version)):
        raise SubmissionError(
            _("{model} cannot read on this site now. Choose another model, or ask your administrator.").format(
                model=version
            )
        )
    return version


def _check_count(count: int) -> None:
    if count == 0:
        raise SubmissionError(_("No file was sent. Choose at least one PNG, JPEG or DICOM file."))
    if count > settings.CXR_MAX_FILES:
        raise SubmissionError(
            _("{count} files were sent; at most {most} are taken at once. Send them in parts.").format(
                count=count, most=settings.CXR_MAX_FILES
            )
        )


def check_room(count: int) -> None:
    """Raises QueueFullError where so many more would be too many."""
    waiting = queued_count()
    if waiting + count <= settings.CXR_MAX_QUEUED:
        return
    surplus = waiting + count - settings.CXR_MAX_QUEUED
    pace = images_per_second() or _GUESSED_IMAGES_PER_SECOND
    raise QueueFullError(waiting, min(_LONGEST_RETRY_SECONDS, max(1, ceil(surplus / pace))))


def _commit(
    actor: Actor,
    study: Study,
    files: Sequence[SentFile],
    kept: Sequence[Image | FileError],
    model_version: ModelVersion,
) -> Submission:
    images: list[Image] = []
    rejected: list[RejectedFile] = []
    for position, (file, item) in enumerate(zip(files, kept, strict=True)):
        if isinstance(item, Image):
            item.study, item.position = study, position
            images.append(item)
        else:
            rejected.append(
                RejectedFile(
                    study=study,
                    position=position,
                    filename=shown_name(file.name),
                    code=item.code,
                    message=item.message,
                    said=item.said_as_json,
                )
            )
    Image.objects.bulk_create(images)
    RejectedFile.objects.bulk_create(rejected)
    jobs = Job.objects.bulk_create(
        Job(image=image, model_version=model_version, urgent=study.urgent) for image in images
    )
    have_shadow_read(images, model_version)
    audit.record(
        AuditAction.STUDY_SUBMITTED,
        actor,
        study,
        images=[str(image.pk) for image in images],
        rejected=[row.code for row in rejected],
        model=str(model_version),
        **urgency_detail(study),
    )
    return Submission(study, list(_answers(files, kept, jobs)))


def urgency_detail(study: Study) -> dict[str, Any]:
    """For the record: that it is urgent, where it is."""
    return {"urgent": True} if study.urgent else {}


def have_shadow_read(images: Iterable[Image], reader: ModelVersion) -> None:
    """Have the shadow read the images, too, where one stands and is not what reads them anyway."""
    shadow = shadow_model_version()
    if shadow and shadow != reader:
        Job.objects.bulk_create(Job(image=image, model_version=shadow, purpose=Purpose.SHADOW) for image in images)


def _answers(files: Iterable[SentFile], kept: Iterable[Image | FileError], jobs: Iterable[Job]) -> Iterable[Answer]:
    job_of = {job.image_id: job for job in jobs}
    for file, item in zip(files, kept, strict=True):
        if isinstance(item, Image):
            yield Answer(shown_name(file.name), job=job_of[item.pk])
        else:
            yield Answer(shown_name(file.name), error=item)


def _refuse_all(actor: Actor, files: Sequence[SentFile], kept: Sequence[Image | FileError]) -> Submission:
    answers = list(_answers(files, kept, []))
    audit.record(AuditAction.UPLOAD_REFUSED, actor, rejected=[a.error.code for a in answers if a.error])
    return Submission(None, answers)
