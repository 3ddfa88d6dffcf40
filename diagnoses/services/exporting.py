"""What becomes of exports: asked for, claimed by a worker, packed, fetched, and removed after a while.

The rows are the queue. A claim has a token and a lease, as a job's has: of several workers one gets an export, and one
whose lease is over and was claimed again writes nothing any more.
"""

import logging
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.db.models.functions import Now
from django.http import QueryDict

from diagnoses import audit, storage
from diagnoses.audit import Actor
from diagnoses.models import Export, Job, ModelVersion, Notification, PauseChange, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.export import ExportFault, ExportStatus
from diagnoses.models.people import NoticeKind
from diagnoses.searching import untelling
from diagnoses.selectors.exports import IN_PROGRESS, expired_exports, exports_of, matching_studies, stored_filter
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.states import JobStatus

MOST_AT_ONCE = 3
"""Exports of one user that wait or are being packed."""
_log = logging.getLogger(__name__)


class NothingToExportError(Exception):
    """No study matches."""


class TooManyCasesError(Exception):
    """More studies match than one export may hold."""


class TooManyExportsError(Exception):
    """The user has as many exports in progress as may be."""


@dataclass(frozen=True)
class ExportClaim:
    """An export in a worker's hands. The token proves that it still is."""

    export_id: uuid.UUID
    token: int


def request_export(*, actor: Actor, user: User, query: str, wanted: HistoryFilter) -> Export:
    """Have the studies with a reading that matches packed for this user; a worker does it when nothing waits for it.

    `query` is the filter as the history's address has it. Raises HiddenFilterError, NothingToExportError,
    TooManyCasesError and TooManyExportsError.
    """
    most = settings.CXR_EXPORT_CASES
    count = len(matching_studies(user, wanted, most + 1))
    if not count:
        raise NothingToExportError
    if count > most:
        raise TooManyCasesError
    with transaction.atomic():
        if _locked_count(user.pk) >= MOST_AT_ONCE:
            raise TooManyExportsError
        export = Export.objects.create(user=user, query=query, wanted=stored_filter(user.pk, wanted), total=count)
        audit.record(AuditAction.EXPORT_REQUESTED, actor, export, filter=untelling(query), studies=count)
    return export


def filter_of(export: Export) -> dict[str, Any]:
    """For the record: by which fields its filter narrows, never by what, which may be a patient's."""
    return {"filter": sorted(QueryDict(export.query))}


def cancel_export(*, actor: Actor, export: Export) -> None:
    """Have it no more, whatever has become of it. A worker that packs it notices at its next step."""
    with transaction.atomic():
        held = Export.objects.select_for_update().filter(pk=export.pk).first()
        if held is None:
            return
        wanted = untelling(held.query)
        audit.record(AuditAction.EXPORT_CANCELLED, actor, held, filter=wanted, studies=held.total, status=held.status)
        Export.objects.filter(pk=held.pk).delete()
    _remove_file(held.stored_name)


def retry_export(*, actor: Actor, export: Export) -> bool:
    """Pack it again that failed. False where it has not failed (any more). Raises TooManyExportsError."""
    with transaction.atomic():
        in_progress = _locked_count(export.user_id)
        failed = Export.objects.filter(pk=export.pk, status=ExportStatus.FAILED)
        if in_progress >= MOST_AT_ONCE and failed.exists():
            raise TooManyExportsError
        if not failed.update(status=ExportStatus.QUEUED, attempts=0, packed=0, error_code="", ended_at=None):
            return False
        Notification.objects.filter(kind=NoticeKind.EXPORT_FAILED, about=str(export.pk)).delete()
        wanted = untelling(export.query)
        audit.record(AuditAction.EXPORT_REQUESTED, actor, export, filter=wanted, studies=export.total, retried=True)
    return True


def reading_comes_first(model_versions: Collection[ModelVersion]) -> bool:
    """Whether there is a job to read for a worker with these versions. While the AI is paused there is none."""
    if PauseChange.objects.values_list("paused", flat=True).first():
        return False
    ready = Job.objects.filter(status=JobStatus.QUEUED, ready_at__lte=Now())
    return ready.filter(model_version__in=model_versions).exists()


def claim_export() -> ExportClaim | None:
    """Take the oldest export that waits, or whose worker was lost; None where there is none.

    One that took its workers down again and again, or whose owner may not sign in any more, is given up.
    """
    free = Export.objects.filter(Q(status=ExportStatus.QUEUED) | Q(status=ExportStatus.RUNNING, lease_until__lt=Now()))
    while True:
        with transaction.atomic():
            waiting = free.select_related("user").select_for_update(skip_locked=True, of=("self",))
            export = waiting.order_by("created_at", "id").first()
            if export is None:
                return None
            fault = _fault_of(export)
            if fault is None:
                Export.objects.filter(pk=export.pk).update(
                    status=ExportStatus.RUNNING,
                    token=F("token") + 1,
                    attempts=F("attempts") + 1,
                    packed=0,
                    lease_until=_lease_end(),
                )
                return ExportClaim(export.pk, export.token + 1)
            _end(Export.objects.filter(pk=export.pk), ExportStatus.FAILED, error_code=fault)


def note_begin(
    *, claim: ExportClaim, studies: Collection[uuid.UUID], site_wide: bool, department_id: int | None
) -> bool:
    """Say what is packed, and with which right, or as whose colleague.

    False where the export is not the worker's own any more.
    """
    oldest = Study.objects.filter(pk__in=studies).aggregate(at=Min("created_at"))["at"]
    what = {"total": len(studies), "oldest_study_at": oldest}
    seen = {"site_wide": site_wide, "department_id": department_id}
    return bool(_held(claim).update(lease_until=_lease_end(), **what, **seen))


def note_progress(*, claim: ExportClaim, packed: int | None = None) -> bool:
    """Say that the worker still is at it, and how far. False where the export is not its own any more."""
    changes = {} if packed is None else {"packed": packed}
    return bool(_held(claim).update(lease_until=_lease_end(), **changes))


def give_back_export(*, claim: ExportClaim) -> None:
    """Leave it to the next worker at once, as if this one had never begun: its process ends."""
    _held(claim).update(status=ExportStatus.QUEUED, attempts=F("attempts") - 1, packed=0, lease_until=None)


def finish_export(*, claim: ExportClaim, stored_name: str, byte_size: int, key: bytes) -> bool:
    """Give it to its owner, and tell them. False where it is not the worker's any more; then its file is removed."""
    holder = Export(pk=claim.export_id)
    holder.seal_key(key)
    file = {"stored_name": stored_name, "byte_size": byte_size}
    keys = {"file_key": holder.file_key, "key_version": holder.key_version}
    is_done = _end(_held(claim), ExportStatus.DONE, packed=F("total"), **file, **keys)
    if not is_done:
        _remove_file(stored_name)
    return is_done


def fail_export(*, claim: ExportClaim, fault: ExportFault) -> None:
    """Give it up, with a reason that its owner is told."""
    _end(_held(claim), ExportStatus.FAILED, error_code=fault)


def remove_expired_exports() -> int:
    """Remove what has been kept for long enough; says how many. A file that cannot be removed is swept later."""
    removed = 0
    for pk, name in expired_exports().values_list("pk", "stored_name"):
        count, _ = expired_exports().filter(pk=pk).delete()
        if count:
            removed += 1
            _remove_file(name)
    return removed


def _locked_count(user_id: int) -> int:
    """Of the user's exports in progress. No other wish of theirs is counted before the transaction's end."""
    user = User.objects.select_for_update().get(pk=user_id)
    return exports_of(user).filter(status__in=IN_PROGRESS).count()


def _fault_of(export: Export) -> ExportFault | None:
    if not export.user.is_active:
        return ExportFault.SWITCHED_OFF
    return ExportFault.WORKER_LOST if export.attempts >= settings.CXR_MAX_ATTEMPTS else None


def _held(claim: ExportClaim) -> QuerySet[Export]:
    return Export.objects.filter(pk=claim.export_id, token=claim.token, status=ExportStatus.RUNNING)


def _end(exports: QuerySet[Export], status: ExportStatus, **changes: Any) -> bool:
    """End the export, if it is among these, and tell its owner."""
    with transaction.atomic():
        export = exports.select_for_update().first()
        if export is None:
            return False
        exports.update(status=status, lease_until=None, ended_at=Now(), **changes)
        kind = NoticeKind.EXPORT_DONE if status is ExportStatus.DONE else NoticeKind.EXPORT_FAILED
        Notification.objects.get_or_create(user_id=export.user_id, kind=kind, about=str(export.pk))
    return True


def _lease_end() -> Any:
    """As long as a worker may be away from it to read: a round of reading, whose last batch may take its time."""
    return Now() + timedelta(seconds=settings.CXR_READING_SECONDS + settings.CXR_LEASE_SECONDS)


def _remove_file(name: str) -> None:
    if not name:
        return
    try:
        storage.remove(name)
    except OSError:
        _log.exception("The packed file %s could not be removed; it is swept later", name)
