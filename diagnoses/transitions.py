"""The only place that changes a job's status."""

from typing import Any

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Now

from diagnoses import notices
from diagnoses.models import Job, JobTransition, Study
from diagnoses.states import ENDED, LEGAL_MOVES, Move

_QUEUE_AGAIN = frozenset({Move.RETRY, Move.OVERRIDE, Move.RECOVER})


def move_jobs(candidates: QuerySet[Job], move: Move, *, by: str, detail: str = "", **changes: Any) -> list[Job]:
    """Make `move` with those of `candidates` that may make it now, and give them back as they are afterwards.

    The rows are locked and their status is looked at again under the lock, so of several callers one wins and the
    others get an empty list. A transition row is written for each, in the same transaction, and who follows one of the
    studies gets notice of it. What is queued again is as urgent as its study is by now.
    """
    sources, target = LEGAL_MOVES[move]
    with transaction.atomic():
        before = dict(candidates.filter(status__in=sources).select_for_update(of=("self",)).values_list("pk", "status"))
        if not before:
            return []
        if move in _QUEUE_AGAIN:
            changes["urgent"] = Subquery(Study.objects.filter(images=OuterRef("image")).values("urgent"))
        moved = Job.objects.filter(pk__in=before)
        moved.update(status=target, lease_until=changes.pop("lease_until", None), **_times(move), **changes)
        jobs = list(moved.select_related("image__study__subject", "model_version").defer("model_version__card"))
        JobTransition.objects.bulk_create(
            JobTransition(
                job=job, move=move, source=before[job.pk], target=target, token=job.token, by=by, detail=detail
            )
            for job in jobs
        )
        notices.tell(job.image.study_id for job in jobs)
    return jobs


def _times(move: Move) -> dict[str, Any]:
    target = LEGAL_MOVES[move][1]
    return {"ended_at": Now() if target in ENDED else None}
