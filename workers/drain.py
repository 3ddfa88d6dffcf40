"""Reading what is queued, batch by batch."""

import logging
import time
from collections.abc import Sequence

from django.conf import settings
from django.db import DataError, IntegrityError

from diagnoses.imaging.errors import ImageError
from diagnoses.services import jobs as job_services
from diagnoses.services.jobs import Claim, NoResult, Outcome
from diagnoses.states import Move
from workers.inference.alone import Ending, NoAnswerError, read_alone
from workers.inference.reader import Reader, Reading, ReadRequest
from workers.runtime import Runtime

_log = logging.getLogger(__name__)

_UNREADABLE = NoResult(
    Move.FAIL, "file_unreadable", "The stored file could not be read. Your administrator can look into it and retry."
)
_ALTERED = NoResult(
    Move.FAIL,
    "file_altered",
    "The stored file is not the one that was sent (its hash differs). Tell your administrator.",
)
_INTERNAL = NoResult(
    Move.FAIL, "internal_error", "The reading failed on the server. Your administrator can look into it and retry."
)
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
    files = {claim.job_id: _read_file(claim) for claim in claims}
    ends: list[tuple[Claim, Outcome | NoResult]] = []
    readable = []
    for claim in claims:
        data = files[claim.job_id]
        if isinstance(data, NoResult):
            ends.append((claim, data))
        else:
            readable.append((claim, ReadRequest(data, claim.age_years, claim.gate_overridden)))
    reader = runtime.readers[claims[0].model_version_id]
    answers = _answers(reader, readable)
    ends += [(claim, _end(claim, answer, reader)) for (claim, _), answer in zip(readable, answers, strict=True)]
    _save(ends)


def _answers(reader: Reader, readable: Sequence[tuple[Claim, ReadRequest]]) -> list[Reading | ImageError | NoResult]:
    """One answer for each, whatever happens to one of them."""
    if not readable:
        return []
    requests = [request for _, request in readable]
    try:
        if readable[0][0].is_suspect:
            # Half, so that this process sees the other one's end before it is taken for stuck itself.
            return [read_alone(reader, request, settings.CXR_READING_SECONDS // 2) for request in requests]
        return [*reader.read(requests)]
    except NoAnswerError as error:
        _log.exception("Job %s was read in a process of its own, which gave no answer", readable[0][0].job_id)
        return [NoResult(Move.FAIL, error.ending, _ENDINGS[error.ending])]
    except Exception:  # noqa: BLE001 - whatever it was, every job of the batch gets its end
        _log.exception("A batch of %d could not be read", len(readable))
        if len(readable) == 1:
            return [_INTERNAL]
        # One by one, so that only the one to blame pays.
        return [answer for one in readable for answer in _answers(reader, [one])]


def _read_file(claim: Claim) -> bytes | NoResult:
    try:
        return job_services.read_file(claim)
    except OSError:
        _log.exception("The file of job %s cannot be read", claim.job_id)
        return _UNREADABLE


def _end(claim: Claim, answer: Reading | ImageError | NoResult, reader: Reader) -> Outcome | NoResult:
    if isinstance(answer, NoResult):
        return answer
    if isinstance(answer, ImageError):
        return NoResult(Move.REFUSE, answer.fault, answer.message)
    if answer.image_sha256 != claim.image_sha256:
        return _ALTERED
    return Outcome(engine=reader.engine, **vars(answer))


def _save(ends: Sequence[tuple[Claim, Outcome | NoResult]]) -> None:
    try:
        saved = job_services.end_jobs(ends=ends)
    except (DataError, IntegrityError):
        _log.exception("The ends of %d jobs could not be saved", len(ends))
        # One by one, so that only the one whose answer the database refuses goes without.
        for claim, end in ends:
            _save([(claim, end)] if len(ends) > 1 else [(claim, _INTERNAL)])
        return
    for claim, _ in ends:
        if claim.job_id not in saved:
            _log.warning("Job %s was taken over; the answer of claim %d is dropped", claim.job_id, claim.token)
