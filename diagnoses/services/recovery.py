"""Putting right what a crash or an update left. The scheduler does it, and each worker at its start."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from diagnoses import queue
from diagnoses.imaging.said import Said
from diagnoses.models import Job
from diagnoses.models.job import Purpose
from diagnoses.selectors.pausing import not_paused
from diagnoses.selectors.registry import live_model_version
from diagnoses.services.jobs import WORKER_LOST, record_ends
from diagnoses.services.notifying import tell_of_ends
from diagnoses.states import JobStatus, Move
from diagnoses.transitions import move_jobs

SCHEDULER = "scheduler"
MODEL_WITHDRAWN = "model_withdrawn"
_RING_AGAIN_AFTER = timedelta(seconds=8)
_FIRST_BACK_OFF = timedelta(seconds=1)
_RECONCILE_LOCK = 0x637872  # "cxr": any number, as long as nothing else in this database locks it


@dataclass(frozen=True)
class Reconciled:
    """What one round of reconciling found."""

    recovered: int = 0
    abandoned: int = 0
    rung: int = 0
    retargeted: int = 0
    withdrawn: int = 0


def reconcile() -> Reconciled:
    """Put right what a crash or an update left: leases that are over, jobs that nobody was told of or can read.

    By the database's clock. Safe to run anywhere and at any time: only one round runs at once, others give up at once.
    """
    with transaction.atomic():
        if not _take_reconcile_lock():
            return Reconciled()
        abandoned, recovered = _end_lost_leases()
        retargeted, withdrawn = _leave_withdrawn_models()
        ready = Job.objects.filter(not_paused(), status=JobStatus.QUEUED, ready_at__lte=Now())
        unheard = ready.filter(Q(rung_at__lt=F("ready_at")) | Q(rung_at__lt=Now() - _RING_AGAIN_AFTER))
        rung = unheard.update(rung_at=Now())
        if rung or retargeted:
            transaction.on_commit(queue.ring, robust=True)
        tell_of_ends([*abandoned, *withdrawn])
    return Reconciled(recovered, len(abandoned), rung, retargeted, len(withdrawn))


def _end_lost_leases() -> tuple[list[Job], int]:
    """Give up on jobs whose attempts are spent, which are given back, and queue the others again: how many."""
    over = Job.objects.filter(status=JobStatus.RUNNING, lease_until__lt=Now())
    words = Said.of(
        "The worker stopped {count} times while it read this image. An administrator can look at the file and retry.",
        count=settings.CXR_MAX_ATTEMPTS,
    )
    abandoned = move_jobs(
        over.filter(attempts__gte=settings.CXR_MAX_ATTEMPTS),
        Move.ABANDON,
        by=SCHEDULER,
        detail=WORKER_LOST,
        error_code=WORKER_LOST,
        error_message=words.text,
        error_said=words.as_json(),
    )
    record_ends(abandoned)
    return abandoned, sum(_recover(over.filter(attempts=count), count) for count in _attempts_of(over))


def _attempts_of(jobs: QuerySet[Job]) -> list[int]:
    return sorted(set(jobs.filter(status=JobStatus.RUNNING).values_list("attempts", flat=True)))


def _recover(jobs: QuerySet[Job], attempts: int) -> int:
    """Queue lost jobs again, each time for twice as long: what took a worker down may do so to the next."""
    ready_at = Now() + _FIRST_BACK_OFF * 2 ** (attempts - 1)
    moved = move_jobs(jobs, Move.RECOVER, by=SCHEDULER, detail=WORKER_LOST, ready_at=ready_at)
    return len(moved)


def _leave_withdrawn_models() -> tuple[int, list[Job]]:
    """Queue what waits for a version that is not shipped any more for the live one: how many. Or end it: which.

    An image is read once by a version. Where the live one has its job for it already, that one is shown instead.
    """
    live = live_model_version()
    stranded = Job.objects.filter(status=JobStatus.QUEUED, model_version__available=False)
    if live is None or not live.available or not stranded.exists():
        return 0, []
    by_live = Job.objects.filter(model_version=live)
    waiting = stranded.exclude(purpose=Purpose.SHADOW).exclude(image__in=by_live.values("image"))
    one_of_each_image = waiting.order_by("image_id", "created_at", "id").distinct("image_id")
    retargeted = move_jobs(
        Job.objects.filter(pk__in=one_of_each_image.values("pk")),
        Move.RETARGET,
        by=SCHEDULER,
        detail=f"to {live}",
        model_version=live,
        rung_at=Now(),
    )
    words = Said.of("This model is not on this site any more. See what {model} says of this image.", model=str(live))
    withdrawn = move_jobs(
        stranded,
        Move.WITHDRAW,
        by=SCHEDULER,
        detail=MODEL_WITHDRAWN,
        error_code=MODEL_WITHDRAWN,
        error_message=words.text,
        error_said=words.as_json(),
    )
    record_ends(withdrawn)
    wanted = [job.image_id for job in withdrawn if job.purpose != Purpose.SHADOW]
    show_shadow_jobs(by_live.filter(image__in=wanted))
    return len(retargeted), withdrawn


def show_shadow_jobs(jobs: QuerySet[Job]) -> int:
    """Make readings visible that were made for comparison alone. They count as the latest: asked for now."""
    return jobs.filter(purpose=Purpose.SHADOW).update(purpose=Purpose.REREAD, created_at=Now())


def _take_reconcile_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_RECONCILE_LOCK])
        return bool(cursor.fetchone()[0])
