"""Forgetting whom studies are of: a patient's, at their wish, or all that the site has kept for long enough.

Nothing that is on record goes: readings, answers and the audit stay as cases that are nobody's. What told of the person
is emptied, their pictures are removed, and the key that opened it is gone, so that no copy of the rows opens either.
"""

import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta

from django.db import transaction
from django.db.models import Max, Min, Q
from django.db.models.functions import Now
from django.http import QueryDict

from diagnoses import audit, notices, sealing, storage
from diagnoses.audit import Actor, AuditEntry
from diagnoses.models import Export, Image, Job, Patient, Reading, RejectedFile, Result, SavedView, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.export import ExportStatus
from diagnoses.searching import FIND, TELLING, SearchError, opened_query
from diagnoses.selectors.patients import find_patient

_BATCH = 100
_ERASED = "erased"
_NAMES_SOMEBODY = f"{FIND}="


class NoSuchPatientError(Exception):
    """Nobody has this ID."""


class FilesLeftError(OSError):
    """What was asked for is done, and some files could not be removed; they are swept later."""

    def __init__(self, count: int, first: OSError) -> None:
        super().__init__(
            f"{count} files could not be removed yet ({first}). The scheduler removes them once storage lets it, and "
            f"once they are older than CXR_ORPHAN_SECONDS."
        )


def erase_patient(*, actor: Actor, patient_id: str, reason: str) -> tuple[uuid.UUID, int]:
    """Erase the patient with this ID for good: their pseudonym, and how many studies they had.

    Exports that may hold one of the studies go, too, and what anybody saved to look for. Raises NoSuchPatientError,
    and FilesLeftError once all but some files is done.
    """
    with transaction.atomic():
        found = find_patient(patient_id)
        patient = found and Patient.objects.select_for_update().filter(pk=found.pk, erased_at=None).first()
        if patient is None:
            raise NoSuchPatientError
        studies = list(Study.objects.filter(subject=patient).values_list("pk", flat=True))
        _forget(studies)
        _lose_key([patient.pk])
        files = [*_files_of(studies), *_drop_copies(studies)]
        audit.record(AuditAction.PATIENT_ERASED, actor, patient, reason=reason, studies=len(studies))
        notices.tell(studies)
    _remove([*files, *_drop_exports(_may_hold(studies))])
    return patient.pk, len(studies)


def purge_studies(*, actor: Actor, days: int) -> int:
    """Erase whose all studies are that were sent more than so many days ago; says how many. Raises FilesLeftError."""
    purged = 0
    for studies in _batches(days):
        with transaction.atomic():
            rows = _locked(studies)
            subjects = {study.pk: study.subject_id for study in rows}
            keys = list(subjects)
            _forget(keys)
            # From here on each is of a patient of its own, of whom nothing is known and who has no key.
            nobodies = Patient.objects.bulk_create(Patient() for _ in rows)
            Patient.objects.filter(pk__in=[nobody.pk for nobody in nobodies]).update(erased_at=Now())
            for study, nobody in zip(rows, nobodies, strict=True):
                Study.objects.filter(pk=study.pk).update(subject=nobody)
            left = dict(Patient.objects.filter(pk__in=set(subjects.values()), studies=None).values_list("pk", "index"))
            _drop_searches_for({bytes(index) for index in left.values() if index})
            _lose_key(list(left))
            audit.record_all(
                AuditEntry(AuditAction.STUDIES_PURGED, actor, study, {"patient": str(subjects[study.pk]), "days": days})
                for study in rows
            )
            files = [*_files_of(keys), *_drop_exports(_may_hold(keys))]
        _remove([*files, *_drop_exports(_may_hold(keys))])
        purged += len(keys)
    return purged


def erase_again() -> int:
    """Empty the studies of who is erased already, which a restored copy has filled again; says how many there are.

    What anybody saved to look for goes, too, as when somebody is erased.
    """
    erased = list(Study.objects.exclude(subject__erased_at=None).order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(erased), _BATCH):
        with transaction.atomic():
            _forget(erased[start : start + _BATCH])
    if erased:  # the copy does not know whom they looked for
        SavedView.objects.filter(query__contains=_NAMES_SOMEBODY).delete()
    return len(erased)


def _batches(days: int) -> Iterator[list[uuid.UUID]]:
    old = Study.objects.filter(created_at__lt=Now() - timedelta(days=days), subject__erased_at=None)
    while batch := list(old.order_by("created_at", "pk").values_list("pk", flat=True)[:_BATCH]):
        yield batch


def _locked(studies: Sequence[uuid.UUID]) -> list[Study]:
    """Those whose patient is not erased, and before them their patients, so that nothing more is sent for these."""
    wanted = Study.objects.filter(pk__in=studies)
    patients = Patient.objects.select_for_update().filter(pk__in=wanted.values("subject"), erased_at=None)
    held = list(patients.order_by("pk").values_list("pk", flat=True))
    return list(wanted.select_for_update(of=("self",)).filter(subject__in=held).order_by("pk"))


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


def _drop_copies(studies: Sequence[uuid.UUID]) -> list[str]:
    """What may be packed of these studies, and searches that name somebody. Gives the files of the first."""
    SavedView.objects.filter(query__contains=_NAMES_SOMEBODY).delete()
    return _drop_exports(_may_hold(studies) | Q(query__contains=_NAMES_SOMEBODY))


def _drop_searches_for(indexes: Collection[bytes]) -> None:
    """What anybody saved to look for one of these patients. Exports that ask for one go with their time."""
    views = SavedView.objects.filter(query__contains=_NAMES_SOMEBODY) if indexes else SavedView.objects.none()
    for view in views:
        with suppress(SearchError):  # what does not open tells nothing
            said = opened_query(view.user_id, QueryDict(view.query))
            if any(sealing.patient_index(str(said.get(name, ""))) in indexes for name in TELLING):
                view.delete()


def _may_hold(studies: Sequence[uuid.UUID]) -> Q:
    """Exports that may: their oldest study is no younger than the youngest of these, which were there by their end.

    Those are dropped with the rest, and again after the commit: until then packing may begin with the rows of before.
    """
    if not studies:
        return Q(pk__in=())
    span = Study.objects.filter(pk__in=studies).aggregate(first=Min("created_at"), last=Max("created_at"))
    packed = Q(status__in=[ExportStatus.RUNNING, ExportStatus.DONE], oldest_study_at__lte=span["last"])
    return packed & (Q(ended_at=None) | Q(ended_at__gte=span["first"]))


def _drop_exports(which: Q) -> list[str]:
    """Gives their files."""
    exports = Export.objects.filter(which)
    names = [name for name in exports.values_list("stored_name", flat=True) if name]
    exports.delete()
    return names


def _files_of(studies: Sequence[uuid.UUID]) -> list[str]:
    return list(Image.objects.filter(study__in=studies).values_list("stored_name", flat=True))


def _remove(files: Sequence[str]) -> None:
    """To be done after the commit: a transaction that is undone, or idle for too long, must not have lost files."""
    left: list[OSError] = []
    for name in files:
        try:
            storage.remove(name)
        except OSError as error:
            left.append(error)
    if left:
        raise FilesLeftError(len(left), left[0])
