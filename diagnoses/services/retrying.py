"""Having an ended job tried again at a person's wish: as it was, or though the gate refused it.

People may name a patient in their reason. Its words are kept in the job alone, where erasing the patient strikes them
out; what only grows, the moves and the audit, has the code of what went before.
"""

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from diagnoses import audit, queue
from diagnoses.audit import Actor
from diagnoses.imaging.errors import GATE_FAULTS
from diagnoses.models import Job
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import Purpose
from diagnoses.states import Move
from diagnoses.transitions import move_jobs


def retry_job(*, job: Job, actor: Actor, reason: str) -> bool:
    """Queue an ended job again at an administrator's wish. False where it cannot be (any more)."""
    with transaction.atomic():
        ended = Job.objects.filter(pk=job.pk)
        code = _code_of(ended)
        moved = move_jobs(
            ended,
            Move.RETRY,
            by=actor.name,
            detail=code,
            retry_reason=reason,
            attempts=0,
            rung_at=Now(),
            error_code="",
            error_message="",
            error_said={},
        )
        if moved:
            audit.record(AuditAction.JOB_RETRIED, actor, job, code=code, reason_given=bool(reason))
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
        code = _code_of(refused)
        moved = move_jobs(
            refused,
            Move.OVERRIDE,
            by=actor.name,
            detail=code,
            attempts=0,
            rung_at=Now(),
            override_code=F("error_code"),
            override_reason=reason.strip(),
            override_by=actor.name,
            override_at=Now(),
            error_code="",
            error_message="",
            error_said={},
        )
        if moved:
            audit.record(AuditAction.REFUSAL_OVERRIDDEN, actor, job, code=code, reason_given=True)
            transaction.on_commit(queue.ring, robust=True)
    return bool(moved)


def _code_of(job: QuerySet[Job]) -> str:
    """Why it ended, locked so that it stays that until it is moved."""
    return job.select_for_update().values_list("error_code", flat=True).first() or ""
