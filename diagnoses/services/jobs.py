"""What workers do with jobs. Every write is fenced by the claim's token."""

import logging
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Literal

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from diagnoses import audit, queue
from diagnoses.audit import Actor, AuditEntry
from diagnoses.imaging.age import years_between
from diagnoses.imaging.said import Said, for_people
from diagnoses.models import Job, ModelVersion, Result, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import BY_URGENCY, Purpose
from diagnoses.sealing import SealError
from diagnoses.selectors import originals
from diagnoses.selectors.pausing import not_paused
from diagnoses.services.notifying import tell_of_ends
from diagnoses.states import JobStatus, Move
from diagnoses.transitions import move_jobs

_log = logging.getLogger(__name__)

DOES_NOT_OPEN = "does_not_open"
WORKER_LOST = "worker_lost"


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
    urgent: bool
    is_suspect: bool
    """A worker died over it, or over one of those that it was read with."""
    file_key: bytes | None = field(default=None, repr=False)
    """Opens its file; None where that lies in clear."""


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


def claim_jobs(
    *, worker_name: str, model_versions: Collection[ModelVersion], limit: int, urgent_only: bool = False
) -> list[Claim]:
    """Take up to `limit` queued jobs of one of these versions: that of the job which is the first in the queue.

    Urgent ones go first, shadow jobs last, and a lost job waits until it is ready again. A job that was claimed before
    is taken alone, so that an input which kills its worker takes no other with it. While the AI is paused nothing is.
    What does not open here is put aside, for another worker or for its end.
    """
    while jobs := _take(worker_name, model_versions, limit, urgent_only):
        if claims := [claim for job in sorted(jobs, key=_urgency) if (claim := _opened(job))]:
            return claims
    return []


def _take(worker_name: str, model_versions: Collection[ModelVersion], limit: int, urgent_only: bool) -> list[Job]:
    ready = Job.objects.filter(not_paused(), status=JobStatus.QUEUED, ready_at__lte=Now())
    if urgent_only:
        # Nobody waits for a shadow's job, whatever it says.
        ready = ready.filter(urgent=True).exclude(purpose=Purpose.SHADOW)
    readable = ready.filter(model_version__in=model_versions).order_by(*BY_URGENCY)
    with transaction.atomic():
        waiting = readable.select_for_update(skip_locked=True, of=("self",))
        first = waiting.values_list("pk", "attempts", "model_version_id").first()
        if first is None:
            return []
        pk, attempts, version_id = first
        fresh = waiting.filter(model_version_id=version_id, attempts=0).values_list("pk", flat=True)
        return move_jobs(
            Job.objects.filter(pk__in=[pk] if attempts else list(fresh[:limit])),
            Move.CLAIM,
            by=worker_name,
            token=F("token") + 1,
            attempts=F("attempts") + 1,
            worker_name=worker_name,
            lease_until=_lease_end(),
        )


def is_overdue(model_versions: Collection[ModelVersion], seconds: int) -> bool:
    """Whether a job that one of these versions could read has been ready for so long and nobody has taken it."""
    queued = Job.objects.filter(not_paused(), status=JobStatus.QUEUED, model_version__in=model_versions)
    return queued.filter(ready_at__lt=Now() - timedelta(seconds=seconds)).exists()


def read_file(claim: Claim) -> bytes:
    """The bytes that were sent in. Raises OSError where storage does not give them."""
    return originals.read_file(claim.stored_name, claim.file_key)


def extend_leases(*, worker_name: str, claims: Collection[Claim]) -> None:
    """Say that the worker still works on these.

    Only on these: a job that it dropped over an error must not be kept from others by its being alive.
    """
    held = Job.objects.filter(pk__in=[claim.job_id for claim in claims])
    held.filter(worker_name=worker_name, status=JobStatus.RUNNING).update(lease_until=_lease_end())


@dataclass(frozen=True)
class NoResult:
    """Why a job ends without a result: refused with a reason that a clinician can act on, or failed by a fault."""

    move: Literal[Move.REFUSE, Move.FAIL]
    code: str
    message: str
    said: Said | None = None
    """The message in parts, where it has facts in it."""
    may_pass: bool = False
    """Another try, later or by another worker, may do better: it is the end of those alone that have no more."""


_DOES_NOT_OPEN = NoResult(
    Move.FAIL,
    DOES_NOT_OPEN,
    for_people(
        "What belongs to this picture does not open on the server. Your administrator can give all workers the same "
        "CXR_DATA_KEYS as the web, and retry."
    ),
    may_pass=True,
)


def end_jobs(*, ends: Sequence[tuple[Claim, Outcome | NoResult]]) -> set[uuid.UUID]:
    """Save what became of the claimed jobs of a batch, all of it or nothing, and say whose jobs were saved.

    Where another try may do better, a job that has one left is put aside instead. Those that are missing were lost to
    another claim meanwhile; nothing is kept of them.
    """
    outcomes = {claim.job_id: end for claim, end in ends if isinstance(end, Outcome)}
    reasons: dict[NoResult, list[Claim]] = {}
    for claim, end in ends:
        if isinstance(end, NoResult):
            reasons.setdefault(end, []).append(claim)
    with transaction.atomic():
        ended = _complete([claim for claim, _ in ends if claim.job_id in outcomes], outcomes)
        aside: list[Job] = []
        for reason, claims in reasons.items():
            kept, without = _end_without_result(_held(claims), claims[0].worker_name, reason)
            aside += kept
            ended += without
        record_ends(ended)
        tell_of_ends(ended)
    return {job.pk for job in (*ended, *aside)}


def ring_for_the_rest() -> None:
    """Leave what is still queued to whoever hears the doorbell next."""
    queue.ring()


def doorbell_answers() -> bool:
    """Whether the doorbell's broker can be spoken to now."""
    return queue.answers()


def _opened(job: Job) -> Claim | None:
    """The claim of a job that was taken; None where a site's key is missing here, or what it would open was altered."""
    try:
        return _claim(job)
    except SealError as error:
        _log.error("Job %s does not open on this worker: %s", job.pk, error)
        with transaction.atomic():
            held = Job.objects.filter(pk=job.pk, token=job.token)
            _, failed = _end_without_result(held, job.worker_name, _DOES_NOT_OPEN)
            record_ends(failed)
            tell_of_ends(failed)
        return None


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
        job.urgent,
        _is_suspect(job),
        job.image.file_key,
    )


def _is_suspect(job: Job) -> bool:
    """Whether one of its earlier attempts did not end in being put aside, by a worker that lives.

    To be read alone, by a model that is loaded for it, takes far longer: after an outage of storage all would be.
    """
    if job.attempts <= 1:
        return False
    of_these_attempts = job.transitions.filter(move=Move.RECOVER, token__gt=job.token - job.attempts)
    return of_these_attempts.exclude(detail=WORKER_LOST).count() < job.attempts - 1


def _age_years(study: Study) -> float | None:
    """The patient's age on the day the study was sent in; None where the birth date is not known, or lies after it."""
    if study.patient_birth_date is None:
        return None
    return years_between(study.patient_birth_date, timezone.localdate(study.created_at))


def _urgency(job: Job) -> tuple[bool, bool, datetime, uuid.UUID]:
    """The order of `BY_URGENCY`, for jobs in hand."""
    return job.purpose == Purpose.SHADOW, not job.urgent, job.created_at, job.pk


def _complete(claims: Sequence[Claim], outcomes: Mapping[uuid.UUID, Outcome]) -> list[Job]:
    if not claims:
        return []
    moved = move_jobs(_held(claims), Move.COMPLETE, by=claims[0].worker_name)
    Result.objects.bulk_create(_result(job, outcomes[job.pk]) for job in moved)
    return moved


def _end_without_result(held: QuerySet[Job], worker: str, reason: NoResult) -> tuple[list[Job], list[Job]]:
    """Those that were put aside, since another try may do better and they have one left, and those that were ended."""
    aside = _put_aside(held, worker, reason.code) if reason.may_pass else []
    said = reason.said.as_json() if reason.said else {}
    error = {"error_code": reason.code, "error_message": reason.message, "error_said": said}
    # What was put aside is queued by now, and a move of what runs passes it by.
    return aside, move_jobs(held, reason.move, by=worker, detail=reason.code, **error)


def _put_aside(held: QuerySet[Job], worker: str, code: str) -> list[Job]:
    """Queue again what has attempts left: for later, and each time for twice as long."""
    aside: list[Job] = []
    for attempts in range(1, settings.CXR_MAX_ATTEMPTS):
        ready_at = Now() + timedelta(seconds=settings.CXR_LEASE_SECONDS * 2 ** (attempts - 1))
        aside += move_jobs(held.filter(attempts=attempts), Move.RECOVER, by=worker, detail=code, ready_at=ready_at)
    return aside


def _held(claims: Sequence[Claim]) -> QuerySet[Job]:
    """Those that are still in the hands of these claims, which are all of one worker."""
    return Job.objects.filter(reduce(or_, (Q(pk=claim.job_id, token=claim.token) for claim in claims)))


def _result(job: Job, outcome: Outcome) -> Result:
    version = job.model_version
    return Result(
        **vars(outcome) | {"warnings": list(outcome.warnings)},
        job=job,
        threshold=version.threshold,
        band_low=version.band_low,
        band_high=version.band_high,
        temperature=version.temperature,
        weights_sha256=version.weights_sha256,
        preprocessing_version=version.preprocessing_version,
        override_code=job.override_code,
        override_reason=job.override_reason,
        override_by=job.override_by,
    )


def record_ends(jobs: Iterable[Job]) -> None:
    """Put the end of each job on record, in the name of the worker that had it last."""
    audit.record_all(
        AuditEntry(
            AuditAction.RESULT_RECORDED,
            Actor(None, job.worker_name),
            job,
            {"status": job.status, "image": str(job.image_id)},
        )
        for job in jobs
    )


def _lease_end() -> Now:
    return Now() + timedelta(seconds=settings.CXR_LEASE_SECONDS)  # type: ignore[return-value]
