"""Reading what is queued, batch by batch."""

import logging
import time
from collections.abc import Sequence

from django.conf import settings

from diagnoses.imaging.errors import ImageError
from diagnoses.services import jobs as job_services
from diagnoses.services.jobs import Claim, Outcome
from workers.inference.alone import Ending, NoAnswerError, read_alone
from workers.inference.reader import Reading, ReadRequest
from workers.runtime import Runtime

_log = logging.getLogger(__name__)

FILE_UNREADABLE = "file_unreadable"
FILE_ALTERED = "file_altered"
INTERNAL_ERROR = "internal_error"

_BUDGET_SECONDS = 10.0
_ENDINGS = {
    Ending.CRASHED: "Reading this file ends the program that reads it. Export the file again and send it anew; if that "
    "fails, too, your administrator can look into it.",
    Ending.TOO_LONG: "Reading this file takes longer than any should. Export the file again and send it anew; if that "
    "fails, too, your administrator can look into it.",
    Ending.OUT_OF_MEMORY: "Reading this file takes more memory than any should. Export it in its usual size and send "
    "it anew; if that fails, too, your administrator can look into it.",
}


def drain(runtime: Runtime) -> int:
    """Claim and read until nothing is queued, and give back how many jobs were taken.

    After ten seconds the rest is left to a fresh ring, so that a stop or a time limit never meets a long task.
    """
    taken = 0
    until = time.monotonic() + _BUDGET_SECONDS
    with runtime.working:
        while claims := job_services.claim_jobs(
            worker_name=runtime.worker_name, model_versions=runtime.model_versions, limit=settings.CXR_BATCH_SIZE
        ):
            with runtime.holding(claims):
                read_batch(runtime, claims)
            taken += len(claims)
            if time.monotonic() > until:
                job_services.ring_for_the_rest()
                break
    return taken


def read_batch(runtime: Runtime, claims: Sequence[Claim]) -> None:
    """Bring each claimed job to an end; all are of one version. No transaction is open while the model runs."""
    files = [(claim, data) for claim in claims if (data := _read_file(claim)) is not None]
    if not files:
        return
    reader = runtime.readers[claims[0].model_version_id]
    requests = [ReadRequest(data, claim.age_years, claim.gate_overridden) for claim, data in files]
    try:
        if claims[0].is_suspect:
            # Half, so that this process sees the other one's end before it is taken for stuck itself.
            answers = [read_alone(reader, request, settings.CXR_READING_SECONDS // 2) for request in requests]
        else:
            answers = reader.read(requests)
    except NoAnswerError as error:
        _log.exception("Job %s was read in a process of its own, which gave no answer", claims[0].job_id)
        job_services.fail_job(claim=claims[0], code=error.ending, message=_ENDINGS[error.ending])
        return
    except Exception:  # noqa: BLE001 - whatever it was, every job of the batch gets its end
        _log.exception("A batch of %d could not be read", len(files))
        _blame_one(runtime, [claim for claim, _ in files])
        return
    for (claim, _), answer in zip(files, answers, strict=True):
        _finish(runtime, claim, answer)


def _blame_one(runtime: Runtime, claims: Sequence[Claim]) -> None:
    """Read the members of a failed batch one by one, so that only the one to blame pays."""
    if len(claims) == 1:
        _fail_internally(claims[0])
        return
    for claim in claims:
        read_batch(runtime, [claim])


def _read_file(claim: Claim) -> bytes | None:
    try:
        return job_services.read_file(claim)
    except OSError:
        _log.exception("The file of job %s cannot be read", claim.job_id)
        job_services.fail_job(
            claim=claim,
            code=FILE_UNREADABLE,
            message="The stored file could not be read. Your administrator can look into it and retry.",
        )
        return None


def _finish(runtime: Runtime, claim: Claim, answer: Reading | ImageError) -> None:
    if isinstance(answer, ImageError):
        job_services.refuse_job(claim=claim, code=answer.fault, message=answer.message)
    elif answer.image_sha256 != claim.image_sha256:
        job_services.fail_job(
            claim=claim,
            code=FILE_ALTERED,
            message="The stored file is not the one that was sent (its hash differs). Tell your administrator.",
        )
    else:
        _complete(runtime, claim, answer)


def _complete(runtime: Runtime, claim: Claim, reading: Reading) -> None:
    outcome = Outcome(engine=runtime.readers[claim.model_version_id].engine, **vars(reading))
    try:
        kept = job_services.complete_job(claim=claim, outcome=outcome)
    except OSError:
        _log.exception("The heatmap of job %s could not be kept", claim.job_id)
        _fail_internally(claim)
        return
    if not kept:
        _log.warning("Job %s was taken over; the answer of claim %d is dropped", claim.job_id, claim.token)


def _fail_internally(claim: Claim) -> None:
    job_services.fail_job(
        claim=claim,
        code=INTERNAL_ERROR,
        message="The reading failed on the server. Your administrator can look into it and retry.",
    )
