"""Claiming jobs and losing them, as the tests of claims and of what follows do."""

import uuid
from datetime import timedelta

from django.db.models.functions import Now

from diagnoses.models import Job, ModelVersion
from diagnoses.services.jobs import Claim, NoResult, Outcome, claim_jobs, end_jobs
from diagnoses.services.recovery import reconcile
from diagnoses.states import Move


def claim(
    *model_versions: ModelVersion, limit: int = 16, worker: str = "reader-1", urgent_only: bool = False
) -> list[Claim]:
    return claim_jobs(worker_name=worker, model_versions=model_versions, limit=limit, urgent_only=urgent_only)


def claimed_ids(*model_versions: ModelVersion, limit: int = 16) -> list[uuid.UUID]:
    return [claimed.job_id for claimed in claim(*model_versions, limit=limit)]


def lose(job: Job) -> None:
    """The lease runs out, the scheduler sees it, and it is time to try again."""
    Job.objects.filter(pk=job.pk).update(lease_until=Now() - timedelta(seconds=1))
    reconcile()
    Job.objects.filter(pk=job.pk).update(ready_at=Now())


def complete_job(*, claim: Claim, outcome: Outcome) -> bool:
    return bool(end_jobs(ends=[(claim, outcome)]))


def refuse_job(*, claim: Claim, code: str, message: str) -> bool:
    return bool(end_jobs(ends=[(claim, NoResult(Move.REFUSE, code, message))]))


def fail_job(*, claim: Claim, code: str, message: str) -> bool:
    return bool(end_jobs(ends=[(claim, NoResult(Move.FAIL, code, message))]))
