"""What workers, the scheduler and administrators do with jobs. Every write is fenced by the claim's token."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from diagnoses import audit, queue, storage
from diagnoses.audit import Actor
from diagnoses.imaging.age import years_between
from diagnoses.imaging.errors import GATE_FAULTS
from diagnoses.models import Job, ModelVersion, Result, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import BY_URGENCY, Purpose
from diagnoses.selectors.registry import live_model_version
from diagnoses.states import JobStatus, Move
from diagnoses.transitions import move_jobs

SCHEDULER = "scheduler"
WORKER_LOST = "worker_lost"
MODEL_WITHDRAWN = "model_withdrawn"
_RING_AGAIN_AFTER = timedelta(seconds=8)
_FIRST_BACK_OFF = timedelta(seconds=1)
_RECONCILE_LOCK = 0x637872  # "cxr": any number, as long as nothing else in this database locks it


@dataclass(frozen=True)
class Claim:
    """A job in a worker's hands. The token proves that it still is when it comes back."""

    job_id: uuid.UUID
    token: int
    worker_name: str
    image_sha256: str
    stored_name: str
    model_version_id: int
    age_years: float | None
    gate_overridden: bool
    is_suspect: bool
    """A worker died over it, or over one of those that it was read with."""


@dataclass(frozen=True)
class Outcome:
    """What a model said of one image. Probability is calibrated, score and peak are log-odds."""

    label: str
    score: float
    probability: float
    indeterminate_reason: str
    warnings: tuple[str, ...]
    image_sha256: str
    engine: str
    heatmap: bytes
    heatmap_peak: float
    timings_ms: dict[str, float]


def claim_jobs(*, worker_name: str, model_versions: Collection[ModelVersion], limit: int) -> list[Claim]:
    """Take up to `limit` queued jobs of one of these versions: that of the job which is the first in the queue.

    Urgent ones go first, shadow jobs last, and a lost job waits until it is ready again. A job that was claimed before
    is taken alone, so that an input which kills its worker takes no other with it.
    """
    ready = Job.objects.filter(status=JobStatus.QUEUED, ready_at__lte=Now())
    readable = ready.filter(model_version__in=model_versions).order_by(*BY_URGENCY)
    with transaction.atomic():
        waiting = readable.select_for_update(skip_locked=True, of=("self",))
        first = waiting.values_list("pk", "attempts", "model_version_id").first()
        if first is None:
            return []
        pk, attempts, version_id = first
        fresh = waiting.filter(model_version_id=version_id, attempts=0).values_list("pk", flat=True)
        jobs = move_jobs(
            Job.objects.filter(pk__in=[pk] if attempts else list(fresh[:limit])),
            Move.CLAIM,
            by=worker_name,
            token=F("token") + 1,
            attempts=F("attempts") + 1,
            worker_name=worker_name,
            lease_until=_lease_end(),
        )
    return [_claim(job) for job in sorted(jobs, key=_urgency)]


def is_overdue(model_versions: Collection[ModelVersion], seconds: int) -> bool:
    """Whether a job that one of these versions could read has been ready for so long and nobody has taken it."""
    queued = Job.objects.filter(status=JobStatus.QUEUED, model_version__in=model_versions)
    return queued.filter(ready_at__lt=Now() - timedelta(seconds=seconds)).exists()


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


def doorbell_answers() -> bool:
    """Whether the doorbell's broker can be spoken to now."""
    return queue.answers()


def retry_job(*, job: Job, actor: Actor, reason: str) -> bool:
    """Queue an ended job again at an administrator's wish. False where it cannot be (any more)."""
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


def override_refusal(*, job: Job, actor: Actor, reason: str) -> bool:
    """Have an image read that the gate refused, at a clinician's wish; the result says so for ever.

    False where it is not refused (any more), or for a fault that no wish can mend, as of a damaged file. Raises
    ValueError without a reason.
    """
    if not reason.strip():
        raise ValueError("Say why this image should be read all the same.")
    refused = Job.objects.filter(pk=job.pk, error_code__in=GATE_FAULTS).exclude(purpose=Purpose.SHADOW)
    with transaction.atomic():
        moved = move_jobs(
            refused,
            Move.OVERRIDE,
            by=actor.name,
            detail=reason.strip(),
            attempts=0,
            rung_at=Now(),
            override_code=F("error_code"),
            override_reason=reason.strip(),
            override_by=actor.name,
            override_at=Now(),
            error_code="",
            error_message="",
        )
        for overridden in moved:
            code = overridden.override_code
            audit.record(AuditAction.REFUSAL_OVERRIDDEN, actor, job, code=code, reason=reason.strip())
            transaction.on_commit(queue.ring, robust=True)
    return bool(moved)


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
        ready = Job.objects.filter(status=JobStatus.QUEUED, ready_at__lte=Now())
        unheard = ready.filter(Q(rung_at__lt=F("ready_at")) | Q(rung_at__lt=Now() - _RING_AGAIN_AFTER))
        rung = unheard.update(rung_at=Now())
        if rung or retargeted:
            transaction.on_commit(queue.ring, robust=True)
    return Reconciled(recovered, abandoned, rung, retargeted, withdrawn)


def _end_lost_leases() -> tuple[int, int]:
    """Give up on jobs whose attempts are spent, and queue the others again: how many of either."""
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
    return len(abandoned), sum(_recover(over.filter(attempts=count), count) for count in _attempts_of(over))


def _attempts_of(jobs: QuerySet[Job]) -> list[int]:
    return sorted(set(jobs.filter(status=JobStatus.RUNNING).values_list("attempts", flat=True)))


def _recover(jobs: QuerySet[Job], attempts: int) -> int:
    """Queue lost jobs again, each time for twice as long: what took a worker down may do so to the next."""
    ready_at = Now() + _FIRST_BACK_OFF * 2 ** (attempts - 1)
    moved = move_jobs(jobs, Move.RECOVER, by=SCHEDULER, detail=WORKER_LOST, ready_at=ready_at)
    return len(moved)


def _leave_withdrawn_models() -> tuple[int, int]:
    """Queue what waits for a version that is not shipped any more for the live one, or end it: how many of either.

    An image is read once by a version. Where the live one has its job for it already, that one is shown instead.
    """
    live = live_model_version()
    stranded = Job.objects.filter(status=JobStatus.QUEUED, model_version__available=False)
    if live is None or not live.available or not stranded.exists():
        return 0, 0
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
    withdrawn = move_jobs(
        stranded,
        Move.WITHDRAW,
        by=SCHEDULER,
        detail=MODEL_WITHDRAWN,
        error_code=MODEL_WITHDRAWN,
        error_message=f"This model is not on this site any more. See what {live} says of this image.",
    )
    for job in withdrawn:
        _record_end(job)
    wanted = [job.image_id for job in withdrawn if job.purpose != Purpose.SHADOW]
    show_shadow_jobs(by_live.filter(image__in=wanted))
    return len(retargeted), len(withdrawn)


def show_shadow_jobs(jobs: QuerySet[Job]) -> int:
    """Make readings visible that were made for comparison alone. They count as the latest: asked for now."""
    return jobs.filter(purpose=Purpose.SHADOW).update(purpose=Purpose.REREAD, created_at=Now())


def _claim(job: Job) -> Claim:
    return Claim(
        job.pk,
        job.token,
        job.worker_name,
        job.image.sha256,
        job.image.stored_name,
        job.model_version_id,
        _age_years(job.image.study),
        bool(job.override_code),
        job.attempts > 1,
    )


def _age_years(study: Study) -> float | None:
    """The patient's age on the day the study was sent in; None where the birth date is not known, or lies after it."""
    if study.patient_birth_date is None:
        return None
    return years_between(study.patient_birth_date, timezone.localdate(study.created_at))


def _urgency(job: Job) -> tuple[bool, bool, datetime, uuid.UUID]:
    """The order of `BY_URGENCY`, for jobs in hand."""
    return job.purpose == Purpose.SHADOW, not job.urgent, job.created_at, job.pk


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
        indeterminate_reason=outcome.indeterminate_reason,
        warnings=list(outcome.warnings),
        threshold=version.threshold,
        band_low=version.band_low,
        band_high=version.band_high,
        temperature=version.temperature,
        weights_sha256=version.weights_sha256,
        image_sha256=outcome.image_sha256,
        preprocessing_version=version.preprocessing_version,
        engine=outcome.engine,
        heatmap_name=heatmap_name,
        heatmap_peak=outcome.heatmap_peak,
        timings_ms=outcome.timings_ms,
        override_code=job.override_code,
        override_reason=job.override_reason,
        override_by=job.override_by,
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
