"""Reading an image again with another version."""

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from diagnoses import audit, notices, queue
from diagnoses.audit import Actor
from diagnoses.models import Image, Job, ModelVersion
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import Purpose
from diagnoses.selectors.registry import can_read_here
from diagnoses.services.patients import hold_patient
from diagnoses.services.recovery import show_shadow_jobs


class RereadError(Exception):
    """The image cannot be read with this version; the text says why and what to do."""


def request_reread(*, actor: Actor, image: Image, model_version: ModelVersion) -> Job:
    """Queue the image for another version, and ring. What other versions said of it stays.

    Where the version has read it as a shadow, that reading is shown from now on. Raises RereadError for a version that
    nothing here can read with, or that reads or has read this image already.
    """
    if not can_read_here(model_version):
        words = _("{model} cannot read on this site now. Choose another model, or try again later.")
        raise RereadError(words.format(model=model_version))
    with transaction.atomic():
        hold_patient(image.study.subject_id)  # else the job could get the words that are just being erased
        job = _shown_shadow(image, model_version) or _new_job(image, model_version)
        audit.record(AuditAction.READING_REQUESTED, actor, job, image=str(image.pk), model=str(model_version))
        notices.tell([image.study_id])
        transaction.on_commit(queue.ring, robust=True)
    return job


def _shown_shadow(image: Image, model_version: ModelVersion) -> Job | None:
    of_version = Job.objects.filter(image=image, model_version=model_version)
    return of_version.get() if show_shadow_jobs(of_version) else None


def _new_job(image: Image, model_version: ModelVersion) -> Job:
    try:
        with transaction.atomic():
            return Job.objects.create(
                image=image, model_version=model_version, purpose=Purpose.REREAD, urgent=image.study.urgent
            )
    except IntegrityError as error:
        words = _("{model} reads or has read this image already; its answer is on this page.")
        raise RereadError(words.format(model=model_version)) from error
