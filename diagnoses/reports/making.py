"""Making a report of what its user may see. All words come in the active language."""

import uuid
from collections.abc import Sequence

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from diagnoses.imaging.age import years_between
from diagnoses.models import Study
from diagnoses.reports.answers import answer_of, coded, label_words, limits_of, other_answer_of
from diagnoses.reports.contents import ImageReport, ModelReport, Patient, Report, SignedReading
from diagnoses.reports.signatures import Signed, signed_readings
from diagnoses.selectors.hiding import covered_readings, hidden_images
from diagnoses.selectors.studies import StudyImage, StudyState, study_state
from diagnoses.states import JobStatus

_MONTHS_BELOW = 2.0
"""Years of age below which months are counted, too."""


def report_of(user: User, study_id: uuid.UUID) -> Report:
    """The report of a study. Raises Study.DoesNotExist for what the user may not see."""
    state = study_state(user, study_id)
    study, images = state.study, _images_of(user, state)
    return Report(
        language=translation.get_language() or settings.LANGUAGE_CODE,
        title=_("Chest X-ray report"),
        notice=_("An aid to reading, not a diagnosis. The clinician decides."),
        product=_("Chest X-ray reader"),
        site=settings.CXR_SITE_NAME,
        study_id=study.pk,
        patient=_patient_of(study),
        accession_number=study.accession_number,
        clinical_note=study.clinical_note,
        urgent=study.urgent,
        sent_at=study.created_at,
        sent_by=_name_of(study.submitted_by),
        images=images,
        models=_models_of(state, images),
        made_at=timezone.now(),
        made_by=_name_of(user),
    )


def _images_of(user: User, state: StudyState) -> list[ImageReport]:
    ids = {image.job.image_id for image in state.images if image.job}
    hidden = hidden_images(user, ids)
    covered = covered_readings(user, ids)
    signed = signed_readings(ids - covered)
    return [_image_report(image, hidden, covered, signed) for image in state.images]


def _image_report(image: StudyImage, hidden: set[uuid.UUID], covered: set[uuid.UUID], signed: Signed) -> ImageReport:
    """A reading by somebody else would give a hidden answer away, so that it is hidden, too."""
    is_hidden = image.job is not None and image.job.image_id in hidden
    has_answer = image.status is JobStatus.DONE
    answer = answer_of(image.job) if image.job and has_answer and not is_hidden else None
    readings = signed.get(image.job.image_id, []) if image.job else []
    return ImageReport(
        position=image.position,
        image_id=image.job.image_id if image.job else None,
        filename=image.filename,
        status=image.status.value,
        status_words=answer.words if answer else _("Hidden") if has_answer else _status_words(image.status),
        hidden=is_hidden and has_answer,
        problem=coded(image.error_code, image.error_message) if image.error_code else None,
        answer=answer,
        other_answers=[] if is_hidden else [other_answer_of(job) for job in image.other_jobs],
        readings=readings,
        readings_words=_readings_words(image, image.job is not None and image.job.image_id in covered, readings),
    )


def _status_words(status: JobStatus) -> str:
    if status is JobStatus.REFUSED:
        return _("Refused: no answer")
    return _("Failed: no answer") if status is JobStatus.FAILED else _("Not answered yet")


def _readings_words(image: StudyImage, is_covered: bool, readings: Sequence[SignedReading]) -> str:
    """What is to be said where no reading is, or none that counts."""
    if image.job is None:
        return ""
    if is_covered:
        return _("This account reads first. Sign your own reading of this image, and the report shows what is hidden.")
    if not readings:
        return _("Not signed yet.")
    return "" if readings[0].final else _("The readers do not agree, and no arbiter has read it yet.")


def _models_of(state: StudyState, images: Sequence[ImageReport]) -> list[ModelReport]:
    """Those whose answers the report shows, each once."""
    shown = [image.job for image, report in zip(state.images, images, strict=True) if report.answer and image.job]
    return [limits_of(version) for version in {job.model_version_id: job.model_version for job in shown}.values()]


def _patient_of(study: Study) -> Patient:
    return Patient(
        patient_id=study.patient_id,
        sex=study.patient_sex,
        sex_words=label_words(study.get_patient_sex_display()),
        birth_date=study.patient_birth_date,
        age_words=_age_words(study),
    )


def _age_words(study: Study) -> str:
    born = study.patient_birth_date
    years = years_between(born, timezone.localdate(study.created_at)) if born else None
    if years is None:
        return ""
    if years < _MONTHS_BELOW:
        months = int(years * 12)
        return ngettext("%(count)d month", "%(count)d months", months) % {"count": months}
    return ngettext("%(count)d year", "%(count)d years", int(years)) % {"count": int(years)}


def _name_of(user: User) -> str:
    return user.get_full_name() or user.get_username()
