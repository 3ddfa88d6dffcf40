"""A sample for those who have nothing to send yet: drawn, and marked as nobody's."""

from django.utils.translation import gettext as _

from diagnoses.audit import Actor
from diagnoses.imaging.phantom import sample_png
from diagnoses.models import Study
from diagnoses.services.receiving import SentFile
from diagnoses.services.submission import StudyDetails, Submission, submit_study

SAMPLE_PATIENT = "SAMPLE"
"""Stands where a patient's identity would."""


def send_sample(*, actor: Actor) -> Submission:
    """Send a drawn chest as a study of its own. Raises what `submit_study` does."""
    data = sample_png()
    file = SentFile("sample.png", len(data), lambda: data)
    details = StudyDetails(patient_id=SAMPLE_PATIENT, clinical_note=_("A drawn sample, no patient."))
    return submit_study(actor=actor, files=[file], details=details)


def is_sample(study: Study) -> bool:
    """Whether it is one, and no patient's."""
    return bool(study.patient_id == SAMPLE_PATIENT)
