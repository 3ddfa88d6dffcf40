"""Making patients, and holding them while something is added to them."""

import uuid
from contextlib import suppress

from django.db import IntegrityError, transaction

from diagnoses import sealing
from diagnoses.models import Patient


def patient_for(patient_id: str) -> Patient:
    """The patient with this ID, made if need be, or for an empty one a new patient of whom nothing is known.

    Nobody erases the patient before the transaction's end; who is just being erased is waited for, and made anew.
    """
    index = sealing.patient_index(patient_id)
    with transaction.atomic():
        while not (patient := _held(index)):
            # Another request may make the same patient at the same moment.
            with suppress(IntegrityError), transaction.atomic():
                patient = Patient.unsaved(patient_id)
                patient.save(force_insert=True)
                return patient
        return patient


def hold_patient(patient: uuid.UUID) -> None:
    """Let nobody erase the patient before the transaction's end; what was begun before has its end by then.

    To be done before any of their studies is locked, as who erases does: otherwise each waits for the other.
    """
    list(Patient.objects.select_for_update(no_key=True).filter(pk=patient).values_list("pk"))


def _held(index: bytes | None) -> Patient | None:
    if index is None:
        return None
    return Patient.objects.select_for_update(no_key=True).filter(index=index, erased_at=None).first()
