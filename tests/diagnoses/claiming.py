"""Claiming jobs and losing them, as the tests of claims and of what follows do."""

import uuid
from datetime import timedelta

from django.db.models.functions import Now

from diagnoses.models import Job, ModelVersion
from diagnoses.services.jobs import Claim, claim_jobs, reconcile


def claim(*model_versions: ModelVersion, limit: int = 16, worker: str = "reader-1") -> list[Claim]:
    return claim_jobs(worker_name=worker, model_versions=model_versions, limit=limit)


def claimed_ids(*model_versions: ModelVersion, limit: int = 16) -> list[uuid.UUID]:
    return [claimed.job_id for claimed in claim(*model_versions, limit=limit)]


def lose(job: Job) -> None:
    """The lease runs out, the scheduler sees it, and it is time to try again."""
    Job.objects.filter(pk=job.pk).update(lease_until=Now() - timedelta(seconds=1))
    reconcile()
    Job.objects.filter(pk=job.pk).update(ready_at=Now())
