"""Reading what is queued, batch by batch."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from diagnoses.services import jobs as job_services
from diagnoses.services.jobs import Claim
from workers.batch import Batch, begin, finish
from workers.runtime import Runtime

_BUDGET_SECONDS = 10.0


def drain(runtime: Runtime) -> int:
    """Claim and read until nothing is queued, and give back how many jobs were taken.

    While one batch is on the engine, the one before it is saved and the next one claimed and decoded. After ten seconds
    the rest is left to a fresh ring, so that a stop or a time limit never meets a long task.
    """
    taken = 0
    until = time.monotonic() + _BUDGET_SECONDS
    before: Batch | None = None
    with runtime.working, ThreadPoolExecutor(1, thread_name_prefix="engine") as engine, ExitStack() as in_hand:
        while True:
            is_over = taken > 0 and time.monotonic() > until
            claims = [] if is_over else _claim(runtime)
            batch = begin(runtime, claims, engine) if claims else None
            if batch:
                in_hand.enter_context(batch.let_go)
            taken += len(claims)
            if before:
                finish(before)
            elif not batch:
                break
            before = batch
        if is_over:
            job_services.ring_for_the_rest()
    return taken


def _claim(runtime: Runtime) -> list[Claim]:
    return job_services.claim_jobs(
        worker_name=runtime.worker_name, model_versions=runtime.model_versions, limit=runtime.pace.limit()
    )
