"""Taking in the files of a study one at a time, as a page sends them that shows how far each has come."""

import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max, QuerySet
from django.utils.translation import gettext as _

from diagnoses import audit, notices, queue, sealing, storage
from diagnoses.audit import Actor
from diagnoses.models import Image, Job, ModelVersion, RejectedFile, Study
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.sight import department_of
from diagnoses.services.patients import hold_patient, patient_for
from diagnoses.services.receiving import STORAGE_FAULT, FileError, SentFile, receive, shown_name
from diagnoses.services.submission import (
    KeyReusedError,
    StudyDetails,
    SubmissionError,
    check_room,
    have_shadow_read,
    reader_of,
    urgency_detail,
)


class StorageError(SubmissionError):
    """The server could not keep the file; it may be sent again with the same keys."""


@dataclass(frozen=True)
class Uploaded:
    """What became of a file: an image, or a file that was refused, of a study or of none."""

    study: Study | None
    image: Image | None = None
    rejected: RejectedFile | None = None


@dataclass(frozen=True)
class StudySent:
    """The study that a file belongs to, under its sender's own key, and what is said of it."""

    key: str
    details: StudyDetails
    batch: uuid.UUID | None = None
    """What was sent in one go has the same."""

    @property
    def kept_key(self) -> str:
        """What the study has of the key."""
        return sealing.key_digest(self.key)

    def fingerprint(self, model_version: ModelVersion | None) -> str:
        """The same wherever the same is said of the study."""
        return sealing.fingerprint_of((self.details, self.batch, model_version and str(model_version)))


def upload_file(
    *,
    actor: Actor,
    study: StudySent,
    upload_key: uuid.UUID,
    file: SentFile,
    model_version: ModelVersion | None = None,
) -> Uploaded:
    """Check and keep one file, then commit its image, its job and the audit together, then ring.

    The first file that is taken makes the study. One that is refused is kept on record beside it, and where there is
    no study yet, nothing is kept. A file that came before with the same keys is given back as it stands. Raises
    SubmissionError where nobody is signed in, the study is full or was erased, or no model reads; QueueFullError while
    too much waits, KeyReusedError where other things were said of the study, and StorageError where the file may come
    again.
    """
    if actor.user is None:
        raise SubmissionError(_("Sign in to send studies."))
    intake = _Intake(actor, study, upload_key, model_version)
    if before := intake.as_it_stands():
        return before
    check_room(1)
    reader = reader_of(model_version)
    item = receive(file)[0]
    if isinstance(item, Image):
        return intake.take(item, reader)
    if item.code == STORAGE_FAULT:
        raise StorageError(_("The file could not be kept on the server. If this goes on, tell your IT."))
    return intake.refuse(shown_name(file.name), item)


@dataclass
class _Intake:
    """One file on its way into its study."""

    actor: Actor
    sent: StudySent
    upload_key: uuid.UUID
    wanted: ModelVersion | None
    commit_tried: bool = False

    def as_it_stands(self) -> Uploaded | None:
        """What became of this file when it came before; None where it did not."""
        study = self._studies().first()
        return self._among(study) if study else None

    def take(self, image: Image, reader: ModelVersion) -> Uploaded:
        """The image in its study, with its job. Where it came twice at once, the first stays."""
        uploaded = None
        try:
            uploaded = self._commit(image, reader)
        finally:
            # A connection that is lost during COMMIT leaves open whether it took place. A file without a row is
            # litter; a row without its file is a lost study.
            if not self.commit_tried:
                storage.remove(image.stored_name)
        return uploaded

    def refuse(self, name: str, error: FileError) -> Uploaded:
        """The reason, on record in the file's study where there is one."""
        rejected = RejectedFile(
            filename=name,
            code=error.code,
            message=error.message,
            said=error.said_as_json,
            upload_key=self.upload_key,
        )
        with transaction.atomic():
            study = self._held_study()
            if study is None:
                audit.record(AuditAction.UPLOAD_REFUSED, self.actor, rejected=[error.code])
                return Uploaded(None, rejected=rejected)
            if before := self._among(study):
                return before
            rejected.study, rejected.position = study, _next_position(study)
            rejected.save(force_insert=True)
            self._record(study, images=[], rejected=[error.code])
            notices.tell([study.pk])
        return Uploaded(study, rejected=rejected)

    def _commit(self, image: Image, reader: ModelVersion) -> Uploaded:
        with transaction.atomic():
            study = self._locked_study()
            if before := self._among(study):
                return before
            image.study, image.position, image.upload_key = study, _next_position(study), self.upload_key
            image.save(force_insert=True)
            Job.objects.create(image=image, model_version=reader, urgent=study.urgent)
            have_shadow_read([image], reader)
            self._record(study, images=[str(image.pk)], rejected=[], model=str(reader))
            notices.tell([study.pk])
            transaction.on_commit(queue.ring, robust=True)
            self.commit_tried = True
        return Uploaded(study, image=image)

    def _studies(self) -> QuerySet[Study]:
        return Study.objects.filter(submitted_by=self.actor.user, idempotency_key=self.sent.kept_key)

    def _locked_study(self) -> Study:
        """The study with this key, made if need be, and held so that the next position stays the next."""
        assert self.actor.user is not None  # noqa: S101 - for the type checker; nobody gets here without
        if not self._studies().exists():
            # Another file's request may make it at the same moment.
            with suppress(IntegrityError), transaction.atomic():
                Study.objects.create(
                    **vars(self.sent.details),
                    subject=patient_for(self.sent.details.patient_id),
                    submitted_by=self.actor.user,
                    department=department_of(self.actor.user),
                    batch=self.sent.batch,
                    idempotency_key=self.sent.kept_key,
                    idempotency_fingerprint=self.sent.fingerprint(self.wanted),
                )
        study = self._held_study()
        assert study is not None  # noqa: S101 - for the type checker; studies are never deleted
        return study

    def _held_study(self) -> Study | None:
        """The study with this key and its patient, held; None where there is none. Raises SubmissionError."""
        found = self._studies().first()
        if found is None:
            return None
        hold_patient(found.subject_id)
        study = self._studies().select_for_update(of=("self",)).get()
        if study.is_erased:
            raise SubmissionError(_("This study was erased. Send the files as a new study."))
        return study

    def _among(self, study: Study) -> Uploaded | None:
        """The file as it came before; None where the study has none of this key."""
        if study.idempotency_fingerprint != self.sent.fingerprint(self.wanted):
            raise KeyReusedError(
                _(
                    "The patient's details were changed after the first file of this study was sent. The file was not "
                    "kept: send it as a new study."
                )
            )
        image = study.images.filter(upload_key=self.upload_key).first()
        rejected = None if image else study.rejected_files.filter(upload_key=self.upload_key).first()
        return Uploaded(study, image, rejected) if image or rejected else None

    def _record(self, study: Study, **detail: Any) -> None:
        audit.record(AuditAction.STUDY_SUBMITTED, self.actor, study, **detail, **urgency_detail(study))


def _next_position(study: Study) -> int:
    """The place after all that the study has. Raises SubmissionError where it is full."""
    lasts = [files.aggregate(last=Max("position"))["last"] for files in (study.images, study.rejected_files)]
    position = max((last + 1 for last in lasts if last is not None), default=0)
    if position >= settings.CXR_MAX_FILES:
        words = _("This study has %(count)s files; at most %(most)s are taken. Send the rest as a new study.")
        raise SubmissionError(words % {"count": position, "most": settings.CXR_MAX_FILES})
    return position
