"""Sealing anew, with the site's newest key, what older ones seal."""

from collections.abc import Iterator

from django.db import transaction
from django.http import QueryDict

from diagnoses import audit, sealing
from diagnoses.audit import Actor
from diagnoses.models import Export, Patient, SavedView
from diagnoses.models.audit import AuditAction
from diagnoses.searching import FIND, SearchError, opened_query, opened_search, sealed_query, sealed_search

_BATCH = 500


def rotate_keys(*, actor: Actor) -> int:
    """Seal all patients' keys with the newest key of the site; says how many were. Raises SealError.

    A batch at a time, so that one that is cut short goes on where it was. Searches that people keep go along. After it
    the older keys open nothing any more but what is in old copies.
    """
    rotated = sum(_rotate_patients())
    with transaction.atomic():
        _rotate_searches()
        _rotate_exports()
        audit.record(AuditAction.KEYS_ROTATED, actor, patients=rotated, version=sealing.newest_version())
    return rotated


def _rotate_patients() -> Iterator[int]:
    stale = Patient.objects.exclude(sealed_key=None).exclude(key_version=sealing.newest_version())
    while True:
        with transaction.atomic():
            batch = list(stale.select_for_update().order_by("pk")[:_BATCH])
            for patient in batch:
                patient.seal_key(patient.key)
            Patient.objects.bulk_update(batch, ["sealed_key", "key_version"])
        if not batch:
            return
        yield len(batch)


def _rotate_searches() -> None:
    for view in SavedView.objects.select_for_update().filter(query__contains=f"{FIND}="):
        view.query = _resealed(view.user_id, view.query)
        view.save(update_fields=["query"])
    for export in Export.objects.select_for_update().filter(query__contains=f"{FIND}="):
        export.query = _resealed(export.user_id, export.query)
        if FIND in export.wanted:
            export.wanted |= {FIND: _resealed_search(export.user_id, export.wanted[FIND])}
        export.save(update_fields=["query", "wanted"])


def _rotate_exports() -> None:
    stale = Export.objects.exclude(file_key=None).exclude(key_version=sealing.newest_version())
    for export in stale.select_for_update():
        export.seal_key(export.key)
        export.save(update_fields=["file_key", "key_version"])


def _resealed(user_id: int, query: str) -> str:
    try:
        return sealed_query(user_id, opened_query(user_id, QueryDict(query))).urlencode()
    except SearchError:
        return query  # it did not open before either


def _resealed_search(user_id: int, find: str) -> str:
    try:
        return sealed_search(user_id, opened_search(user_id, find))
    except SearchError:
        return find  # as above
