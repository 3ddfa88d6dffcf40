"""The history: readings that a user may see, newest first, filtered, a page at a time."""

import base64
import binascii
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from diagnoses.models import Job, Study
from diagnoses.models.job import Indeterminacy
from diagnoses.selectors.studies import Viewer, jobs_visible_to, visible_to

PAGE_SIZE = 25


class CursorError(ValueError):
    """A page's address was tampered with or cut."""


@dataclass(frozen=True)
class HistoryFilter:
    """What to look for. Empty fields do not narrow; dates are whole days of the site, both included."""

    search: str = ""
    label: str = ""
    indeterminate: bool = False
    status: str = ""
    patient_id: str = ""
    model: str = ""
    since: date | None = None
    until: date | None = None

    @property
    def narrows(self) -> bool:
        """Whether anything is looked for at all."""
        return any(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True)
class HistoryPage:
    """Some readings, and the cursor of those after them (empty at the end)."""

    jobs: list[Job]
    next_cursor: str


def find_jobs(user: Viewer, wanted: HistoryFilter) -> QuerySet[Job]:
    """All readings that match, newest first."""
    jobs = jobs_visible_to(user).filter(_exact(wanted))
    if wanted.search:
        jobs = jobs.filter(
            Q(image__filename__icontains=wanted.search)
            | Q(image__study__patient_id__icontains=wanted.search)
            | Q(image__study__accession_number__icontains=wanted.search)
            | Q(image__study__clinical_note__icontains=wanted.search)
        )
    return jobs.order_by("-created_at", "-id")


def find_studies(user: Viewer, wanted: HistoryFilter) -> QuerySet[Study]:
    """All visible studies; with a filter, those with a reading that matches."""
    studies = visible_to(user)
    if not wanted.narrows:
        return studies
    return studies.filter(Exists(find_jobs(user, wanted).order_by().filter(image__study=OuterRef("pk"))))


def history_page(user: Viewer, wanted: HistoryFilter, cursor: str = "") -> HistoryPage:
    """One page in a single query, however far down. Raises CursorError for a cursor that none of ours is."""
    jobs = find_jobs(user, wanted)
    if cursor:
        at, pk = _read_cursor(cursor)
        jobs = jobs.filter(Q(created_at__lt=at) | Q(created_at=at, id__lt=pk))
    rows = list(jobs[: PAGE_SIZE + 1])
    shown = rows[:PAGE_SIZE]
    return HistoryPage(shown, _make_cursor(shown[-1]) if len(rows) > PAGE_SIZE else "")


def stream_jobs(user: Viewer, wanted: HistoryFilter) -> Iterator[Job]:
    """All readings that match, without holding them in memory."""
    return find_jobs(user, wanted).iterator(chunk_size=500)


def _exact(wanted: HistoryFilter) -> Q:
    conditions = {
        "result__label": wanted.label,
        "result__indeterminate_reason__in": Indeterminacy.values if wanted.indeterminate else [],
        "status": wanted.status,
        "image__study__patient_id": wanted.patient_id,
        "model_version__name": wanted.model,
        "created_at__date__gte": wanted.since,
        "created_at__date__lte": wanted.until,
    }
    return Q(**{field: value for field, value in conditions.items() if value})


def _make_cursor(job: Job) -> str:
    return base64.urlsafe_b64encode(f"{job.created_at.isoformat()} {job.pk}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, uuid.UUID]:
    try:
        written, pk = base64.urlsafe_b64decode(cursor.encode()).decode().split()
        return read_instant(written), uuid.UUID(pk)
    except (ValueError, binascii.Error) as error:
        raise CursorError("This page's address is not valid. Start again from the first page.") from error


def read_instant(text: str) -> datetime:
    """A time with its zone, in ISO 8601. Raises ValueError for anything else."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("a time without a zone is no instant")
    return instant
