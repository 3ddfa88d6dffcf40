"""Finding a patient without opening anything."""

from diagnoses import sealing
from diagnoses.models import Patient


def find_patient(patient_id: str) -> Patient | None:
    """The patient with this ID, however it is spaced and cased; None where nobody has it, or it is empty."""
    index = sealing.patient_index(patient_id)
    return Patient.objects.filter(index=index).first() if index else None
