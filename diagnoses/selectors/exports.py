"""Exports: those of a user, and what goes into one."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from diagnoses.models import Export, Job
from diagnoses.models.export import ExportStatus
from diagnoses.searching import FIND, TELLING, opened_search, sealed_search
from diagnoses.selectors.history import find_jobs
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.selectors.sight import sees_every_study, sight_of
from diagnoses.selectors.studies import jobs_visible_to
from diagnoses.selectors.viewers import Viewer

IN_PROGRESS = (ExportStatus.QUEUED, ExportStatus.RUNNING)


def exports_of(user: Viewer) -> QuerySet[Export]:
    """A user's own exports, which nobody else may see, newest first."""
    if isinstance(user, AnonymousUser) or not user.is_active:
        return Export.objects.none()
    return Export.objects.filter(user_id=user.pk)


def may_fetch(user: Viewer, export: Export) -> bool:
    """Whether one of the user's own has a file for them, and they see still what was in sight when it was packed."""
    if export.status != ExportStatus.DONE:
        return False
    if export.site_wide or sees_every_study(user):
        return sees_every_study(user)
    sight = sight_of(user)
    return sight.sees_own and export.department_id in (None, sight.department_id)


def expired_exports() -> QuerySet[Export]:
    """Those that ended so long ago that they go."""
    return Export.objects.filter(ended_at__lt=Now() - timedelta(days=settings.CXR_EXPORT_DAYS))


def matching_studies(user: Viewer, wanted: HistoryFilter, most: int) -> list[uuid.UUID]:
    """The first studies with a reading that matches, newest first; never more than `most`. Raises HiddenFilterError."""
    found: dict[uuid.UUID, None] = {}
    of_jobs = find_jobs(user, wanted).values_list("image__study_id", flat=True)
    with transaction.atomic():  # outside of one PostgreSQL works out all rows of a cursor before it gives the first
        for study_id in of_jobs.iterator(chunk_size=500):
            found[study_id] = None
            if len(found) == most:
                break
    return list(found)


def jobs_of_studies(user: Viewer, study_ids: Collection[uuid.UUID]) -> Sequence[Job]:
    """All readings of these studies that the user may see now, by study and image, the newest of each first."""
    jobs = jobs_visible_to(user).filter(image__study__in=study_ids)
    return list(jobs.order_by("image__study", "image__position", "-created_at", "-id"))


def stored_filter(user_id: int, wanted: HistoryFilter) -> dict[str, Any]:
    """A user's filter as JSON has it: what is set, dates in ISO 8601, and sealed what may name a patient."""
    said = {name: value for name, value in asdict(wanted).items() if value}
    if telling := {name: said.pop(name) for name in TELLING if name in said}:
        said[FIND] = sealed_search(user_id, telling)
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in said.items()}


def filter_of(user_id: int, stored: dict[str, Any]) -> HistoryFilter:
    """The user's filter that was stored so. Raises SearchError."""
    days = {"since", "until"} & stored.keys()
    said: dict[str, Any] = stored | {name: date.fromisoformat(stored[name]) for name in days}
    if find := said.pop(FIND, ""):
        said |= opened_search(user_id, find)
    return HistoryFilter(**said)
