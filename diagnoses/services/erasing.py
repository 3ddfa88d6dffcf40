"""Forgetting whom studies are of: a patient's, at their wish, or all that the site has kept for long enough.

Nothing that is on record goes: readings, answers and the audit stay as cases that are nobody's. What told of the person
is emptied, their pictures are removed, and the key that opened it is gone, so that no copy of the rows opens either.
"""

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now

from diagnoses import audit, notices, storage
from diagnoses.audit import Actor, AuditEntry
from diagnoses.models import Export, Image, Job, Patient, Reading, RejectedFile, Result, SavedView, Study
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.patients import find_patient

_BATCH = 100
_ERASED = "erased"


class NoSuchPatientError(Exception):
    """Nobody has this ID."""


def erase_patient(*, actor: Actor, patient_id: str, reason: str) -> tuple[uuid.UUID, int]:
    """Erase the patient with this ID for good: their pseudonym, and how many studies they had.

    All of it, or nothing but files that were removed already: then it is to be asked for again. Exports that may hold
    one of the studies go, too, and what anybody saved to look for. Raises NoSuchPatientError and OSError.
    """
    with transaction.atomic():
        found = find_patient(patient_id)
        patient = found and Patient.objects.select_for_update().filter(pk=found.pk, erased_at=None).first()
        if patient is None:
            raise NoSuchPatientError
        studies = list(Study.objects.filter(subject=patient).values_list("pk", flat=True))
        _forget(studies)
        _lose_key([patient.pk])
        names = _drop_copies(patient)
        audit.record(AuditAction.PATIENT_ERASED, actor, patient, reason=reason, studies=len(studies))
        notices.tell(studies)
        _remove_files(studies, names)
    return patient.pk, len(studies)


def purge_studies(*, actor: Actor, days: int) -> int:
    """Erase whose all studies are that were sent more than so many days ago; says how many. Raises OSError."""
    purged = 0
    for studies in _batches(days):
        with transaction.atomic():
            locked = Study.objects.select_for_update(of=("self",)).filter(pk__in=studies, subject__erased_at=None)
            rows = list(locked.order_by("pk"))
            subjects = {study.pk: study.subject_id for study in rows}
            keys = list(subjects)
            _forget(keys)
            # From here on each is of a patient of its own, of whom nothing is known and who has no key.
            nobodies = Patient.objects.bulk_create(Patient() for _ in rows)
            Patient.objects.filter(pk__in=[nobody.pk for nobody in nobodies]).update(erased_at=Now())
            for study, nobody in zip(rows, nobodies, strict=True):
                Study.objects.filter(pk=study.pk).update(subject=nobody)
            left = Patient.objects.filter(pk__in=set(subjects.values()), studies=None).values_list("pk", flat=True)
            _lose_key(list(left))
            audit.record_all(
                AuditEntry(AuditAction.STUDIES_PURGED, actor, study, {"patient": str(subjects[study.pk]), "days": days})
                for study in rows
            )
            _remove_files(keys, _drop_exports_since(rows[0].created_at) if rows else [])
        purged += len(keys)
    return purged


def _batches(days: int) -> Iterator[list[uuid.UUID]]:
    old = Study.objects.filter(created_at__lt=Now() - timedelta(days=days), subject__erased_at=None)
    while batch := list(old.order_by("created_at", "pk").values_list("pk", flat=True)[:_BATCH]):
        yield batch


def _forget(studies: Sequence[uuid.UUID]) -> None:
    """Empty all that tells of a person in these studies."""
    nothing = {"patient_id": "", "patient_birth_date": None, "accession_number": "", "clinical_note": ""}
    Study.objects.filter(pk__in=studies).update(**nothing)
    Image.objects.filter(study__in=studies).update(filename="", words=[], file_key=None)
    RejectedFile.objects.filter(study__in=studies).update(filename="")
    # All that the database lets be done to what is signed.
    Reading.objects.filter(image__study__in=studies).update(text="")
    jobs = Job.objects.filter(image__study__in=studies)
    jobs.update(words=[])
    jobs.exclude(override_reason="").update(override_reason=_ERASED)
    jobs.exclude(retry_reason="").update(retry_reason=_ERASED)
    results = Result.objects.filter(job__image__study__in=studies)
    results.exclude(override_reason="").update(override_reason=_ERASED)


def _lose_key(patients: Sequence[uuid.UUID]) -> None:
    gone = {"sealed_key": None, "key_version": None, "index": None, "erased_at": Now()}
    Patient.objects.filter(pk__in=patients).update(**gone)


def _drop_copies(patient: Patient) -> list[str]:
    """What was packed since the patient came, and searches that name somebody. Gives the files of the first."""
    SavedView.objects.filter(query__contains="find=").delete()
    return _drop_exports_since(patient.created_at)


def _drop_exports_since(moment: datetime) -> list[str]:
    """Exports that may hold what was sent at that time or later. Gives their files."""
    exports = Export.objects.filter(created_at__gte=moment)
    names = [name for name in exports.values_list("stored_name", flat=True) if name]
    exports.delete()
    return names


def _remove_files(studies: Sequence[uuid.UUID], others: Sequence[str]) -> None:
    for name in [*Image.objects.filter(study__in=studies).values_list("stored_name", flat=True), *others]:
        storage.remove(name)
