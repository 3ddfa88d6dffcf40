"""What workers, the scheduler and administrators do with jobs. Every write is fenced by the claim's token."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from diagnoses import audit, queue, storage
from diagnoses.audit import Actor
from diagnoses.models import Job, ModelVersion, Result
from diagnoses.models.audit import AuditAction
from diagnoses.states import JobStatus, Move
from diagnoses.transitions import move_jobs

SCHEDULER = "scheduler"
WORKER_LOST = "worker_lost"
_RING_AGAIN_AFTER = timedelta(seconds=8)
_RECONCILE_LOCK = 0x637872  # "cxr": any number, as long as nothing else in this database locks it


@dataclass(frozen=True)
class Claim:
    """A job in a worker's hands. The token proves that it still is when it comes back."""

    job_id: uuid.UUID
    token: int
    worker_name: str
    image_sha256: str
    stored_name: str


@dataclass(frozen=True)
class Outcome:
    """What a model said of one image. Probability is calibrated, score and peak are log-odds."""

    label: str
    score: float
    probability: float
    image_sha256: str
    engine: str
    heatmap: bytes
    heatmap_peak: float
    timings_ms: dict[str, float]


def claim_jobs(*, worker_name: str, model_version: ModelVersion, limit: int) -> list[Claim]:
    """Take up to `limit` queued jobs, oldest first, that `model_version` or an earlier one of its name should read.

    A job that was claimed before is taken alone, so that an input which kills its worker takes no other with it.
    """
    with transaction.atomic():
        waiting = list(
            Job.objects.filter(
                status=JobStatus.QUEUED,
                model_version__name=model_version.name,
                model_version__registered_at__lte=model_version.registered_at,
            )
            .order_by("created_at", "id")
            .select_for_update(skip_locked=True, of=("self",))
            .values_list("pk", "attempts")[:limit]
        )
        chosen = _alone_if_suspect(waiting)
        jobs = move_jobs(
            Job.objects.filter(pk__in=chosen),
            Move.CLAIM,
            by=worker_name,
            token=F("token") + 1,
            attempts=F("attempts") + 1,
            worker_name=worker_name,
            model_version=model_version,
            lease_until=_lease_end(),
        )
    return [
        Claim(job.pk, job.token, worker_name, job.image.sha256, job.image.stored_name)
        for job in sorted(jobs, key=lambda job: (job.created_at, job.pk))
    ]


def read_file(claim: Claim) -> bytes:
    """The bytes that were sent in. Raises OSError where storage does not give them."""
    return storage.read(claim.stored_name)


def extend_leases(*, worker_name: str, claims: Collection[Claim]) -> None:
    """Say that the worker still works on these.

    Only on these: a job that it dropped over an error must not be kept from others by its being alive.
    """
    held = Job.objects.filter(pk__in=[claim.job_id for claim in claims])
    held.filter(worker_name=worker_name, status=JobStatus.RUNNING).update(lease_until=_lease_end())


def complete_job(*, claim: Claim, outcome: Outcome) -> bool:
    """Save the result of a claimed job. False where the claim was lost meanwhile: then nothing is kept.

    The heatmap's name belongs to this claim alone, so it can be written before the commit, and again. Raises
    OSError where it cannot be.
    """
    heatmap_name = storage.heatmap_name(claim.job_id, claim.token)
    storage.write(heatmap_name, outcome.heatmap)
    with transaction.atomic():
        moved = move_jobs(_held(claim), Move.COMPLETE, by=claim.worker_name)
        for job in moved:
            _save_result(job, outcome, heatmap_name)
            _record_end(job)
    if not moved and not Result.objects.filter(heatmap_name=heatmap_name).exists():
        storage.remove(heatmap_name)
    return bool(moved)


def refuse_job(*, claim: Claim, code: str, message: str) -> bool:
    """End a claimed job with a reason that a clinician can act on. False where the claim was lost."""
    return _end_without_result(claim, Move.REFUSE, code, message)


def fail_job(*, claim: Claim, code: str, message: str) -> bool:
    """End a claimed job with a fault. False where the claim was lost."""
    return _end_without_result(claim, Move.FAIL, code, message)


def ring_for_the_rest() -> None:
    """Leave what is still queued to whoever hears the doorbell next."""
    queue.ring()


def retry_job(*, job: Job, actor: Actor, reason: str) -> bool:
    """Queue an ended job again at a person's wish. False where it cannot be (any more)."""
    with transaction.atomic():
        moved = move_jobs(
            Job.objects.filter(pk=job.pk),
            Move.RETRY,
            by=actor.name,
            detail=reason,
            attempts=0,
            rung_at=Now(),
            error_code="",
            error_message="",
        )
        if moved:
            audit.record(AuditAction.JOB_RETRIED, actor, job, reason=reason)
            transaction.on_commit(queue.ring, robust=True)
    return bool(moved)


@dataclass(frozen=True)
class Reconciled:
    """What one round of reconciling found."""

    recovered: int = 0
    abandoned: int = 0
    rung: int = 0


def reconcile() -> Reconciled:
    """Put right what a crash left: leases that are over, jobs that nobody was told of. By the database's clock.

    Safe to run anywhere and at any time: only one round runs at once, others give up at once.
    """
    with transaction.atomic():
        if not _take_reconcile_lock():
            return Reconciled()
        over = Job.objects.filter(status=JobStatus.RUNNING, lease_until__lt=Now())
        abandoned = move_jobs(
            over.filter(attempts__gte=settings.CXR_MAX_ATTEMPTS),
            Move.ABANDON,
            by=SCHEDULER,
            detail=WORKER_LOST,
            error_code=WORKER_LOST,
            error_message=f"The worker stopped {settings.CXR_MAX_ATTEMPTS} times while it read this image. "
            "An administrator can look at the file and retry.",
        )
        for job in abandoned:
            _record_end(job)
        recovered = move_jobs(over, Move.RECOVER, by=SCHEDULER, detail=WORKER_LOST, rung_at=Now())
        unheard = Job.objects.filter(status=JobStatus.QUEUED, rung_at__lt=Now() - _RING_AGAIN_AFTER)
        rung = unheard.update(rung_at=Now())
        if rung or recovered:
            transaction.on_commit(queue.ring, robust=True)
    return Reconciled(len(recovered), len(abandoned), rung)


def _alone_if_suspect(waiting: list[tuple[uuid.UUID, int]]) -> list[uuid.UUID]:
    if waiting and waiting[0][1] > 0:
        return [waiting[0][0]]
    return [pk for pk, attempts in waiting if attempts == 0]


def _end_without_result(claim: Claim, move: Move, code: str, message: str) -> bool:
    with transaction.atomic():
        moved = move_jobs(_held(claim), move, by=claim.worker_name, detail=code, error_code=code, error_message=message)
        for job in moved:
            _record_end(job)
    return bool(moved)


def _held(claim: Claim) -> QuerySet[Job]:
    """The job, as long as it is still in the hands of this claim."""
    return Job.objects.filter(pk=claim.job_id, token=claim.token)


def _save_result(job: Job, outcome: Outcome, heatmap_name: str) -> None:
    version = job.model_version
    Result.objects.create(
        job=job,
        label=outcome.label,
        score=outcome.score,
        probability=outcome.probability,
        threshold=version.threshold,
        temperature=version.temperature,
        weights_sha256=version.weights_sha256,
        image_sha256=outcome.image_sha256,
        preprocessing_version=version.preprocessing_version,
        engine=outcome.engine,
        heatmap_name=heatmap_name,
        heatmap_peak=outcome.heatmap_peak,
        timings_ms=outcome.timings_ms,
    )


def _record_end(job: Job) -> None:
    worker = Actor(None, job.worker_name)
    audit.record(AuditAction.RESULT_RECORDED, worker, job, status=job.status, image=str(job.image_id))


def _lease_end() -> Now:
    return Now() + timedelta(seconds=settings.CXR_LEASE_SECONDS)  # type: ignore[return-value]


def _take_reconcile_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_RECONCILE_LOCK])
        return bool(cursor.fetchone()[0])
