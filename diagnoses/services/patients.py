"""Making patients."""

from django.db import IntegrityError, transaction

from diagnoses.models import Patient
from diagnoses.selectors.patients import find_patient


def patient_for(patient_id: str) -> Patient:
    """The patient with this ID, made if need be, or for an empty one a new patient of whom nothing is known."""
    patient = find_patient(patient_id)
    if patient:
        return patient
    patient = Patient.unsaved(patient_id)
    try:
        with transaction.atomic():
            patient.save(force_insert=True)
    except IntegrityError:
        # Another request made the same patient at the same moment, and has committed it by now.
        return Patient.objects.get(index=patient.index)
    return patient
