"""One batch of jobs, read in one go, on its way from claims to ends."""

import logging
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from typing import TypeAlias

from django.conf import settings
from django.db import DataError, IntegrityError

from diagnoses.imaging.errors import ImageError
from diagnoses.imaging.said import for_people
from diagnoses.services import jobs as job_services
from diagnoses.services.identity import names_another_patient
from diagnoses.services.jobs import Claim, NoResult, Outcome
from diagnoses.states import Move
from workers.inference.alone import Ending, NoAnswerError, read_alone
from workers.inference.reader import Prepared, Reader, Reading, ReadRequest
from workers.pace import Pace
from workers.runtime import Runtime

_log = logging.getLogger(__name__)

_GONE = NoResult(
    Move.FAIL, "file_unreadable", "The stored file could not be read. Your administrator can look into it and retry."
)
_UNREADABLE = replace(_GONE, may_pass=True)
"""What a storage does not give now, it may give in a minute; what it does not have, it does not get."""
_ALTERED = NoResult(
    Move.FAIL,
    "file_altered",
    "The stored file is not the one that was sent (its hash differs). Tell your administrator.",
)
_INTERNAL = NoResult(
    Move.FAIL, "internal_error", "The reading failed on the server. Your administrator can look into it and retry."
)
_ENDINGS = {
    Ending.CRASHED: for_people(
        "Reading this file ends the program that reads it. Export the file again and send it anew; if that "
        "fails, too, your administrator can look into it."
    ),
    Ending.TOO_LONG: for_people(
        "Reading this file takes longer than any should. Export the file again and send it anew; if that "
        "fails, too, your administrator can look into it."
    ),
    Ending.OUT_OF_MEMORY: for_people(
        "Reading this file takes more memory than any should. Export it in its usual size and send "
        "it anew; if that fails, too, your administrator can look into it."
    ),
}


OTHER_PATIENT = "other_patient"

Answer: TypeAlias = Reading | ImageError | NoResult
End: TypeAlias = tuple[Claim, Outcome | NoResult]


@dataclass(frozen=True)
class Batch:
    """Claimed jobs in work, all of one version and equally urgent."""

    claims: Sequence[Claim]
    """Those whose files could be read."""
    unreadable: Sequence[End]
    answers: Future[list[Answer]]
    misnamed: Collection[Claim]
    """Those whose files say another patient than was typed."""
    reader: Reader
    is_urgent: bool
    is_suspect: bool


def begin(runtime: Runtime, claims: Sequence[Claim], engine: Executor) -> Batch:
    """Read and decode the files of claimed jobs, all of one version, and queue them for the engine.

    `engine` has one thread, since an engine answers one at a time. No transaction is open while the model runs.
    """
    files = [(claim, _read_file(claim)) for claim in claims]
    readable = {claim: data for claim, data in files if isinstance(data, bytes)}
    unreadable: list[End] = [(claim, reason) for claim, reason in files if isinstance(reason, NoResult)]
    reader = runtime.readers[claims[0].model_version_id]
    answers = _queue(runtime, reader, readable, engine)
    # While the engine works.
    misnamed = {claim for claim, data in readable.items() if names_another_patient(claim, data)}
    return Batch(list(readable), unreadable, answers, misnamed, reader, claims[0].urgent, claims[0].is_suspect)


def ends_of(batch: Batch) -> list[End]:
    """Wait for the engine, and say how each job ends."""
    answers = zip(batch.claims, batch.answers.result(), strict=True)
    ends = [(claim, _end(claim, answer, batch)) for claim, answer in answers]
    return [*batch.unreadable, *ends]


def save(ends: Sequence[End]) -> None:
    """Bring each job to its end. What another claim has taken over meanwhile is dropped."""
    try:
        saved = job_services.end_jobs(ends=ends)
    except (DataError, IntegrityError):
        if [end for _, end in ends] == [_INTERNAL]:
            raise
        _log.exception("The ends of %d jobs could not be saved", len(ends))
        # One by one, so that only the one whose answer the database refuses goes without.
        for claim, end in ends:
            save([(claim, end)] if len(ends) > 1 else [(claim, _INTERNAL)])
        return
    for claim, _ in ends:
        if claim.job_id not in saved:
            _log.warning("Job %s was taken over; the answer of claim %d is dropped", claim.job_id, claim.token)


def _queue(runtime: Runtime, reader: Reader, readable: Mapping[Claim, bytes], engine: Executor) -> Future[list[Answer]]:
    requests = [ReadRequest(data, claim.age_years, claim.gate_overridden) for claim, data in readable.items()]
    suspects = [claim for claim in readable if claim.is_suspect]
    if suspects:
        return engine.submit(lambda: [_read_alone(reader, request, suspects[0]) for request in requests])
    try:
        prepared = reader.prepare(requests)
    except Exception:  # noqa: BLE001 - whatever it was, every job of the batch gets its end
        _log.exception("A batch of %d could not be decoded", len(requests))
        return engine.submit(_read_one_by_one, reader, requests)
    return engine.submit(_read, runtime.pace, reader, requests, prepared)


def _read(pace: Pace, reader: Reader, requests: Sequence[ReadRequest], prepared: Sequence[Prepared]) -> list[Answer]:
    """One answer for each, whatever happens to one of them."""
    if not requests:
        return []
    try:
        with pace.timing(len(requests)):
            return [*reader.read_prepared(prepared)]
    except Exception:  # noqa: BLE001 - as above
        _log.exception("A batch of %d could not be read", len(requests))
        return [_INTERNAL] if len(requests) == 1 else _read_one_by_one(reader, requests)


def _read_one_by_one(reader: Reader, requests: Sequence[ReadRequest]) -> list[Answer]:
    """After a fault in a batch, so that only the one to blame pays."""
    answers: list[Answer] = []
    for request in requests:
        try:
            answers += reader.read([request])
        except Exception:  # noqa: BLE001 - as above
            _log.exception("A file could not be read")
            answers.append(_INTERNAL)
    return answers


def _read_alone(reader: Reader, request: ReadRequest, claim: Claim) -> Answer:
    """In a process of its own, in half of the time, so that this one sees its end before it is taken for stuck."""
    try:
        return read_alone(reader, request, settings.CXR_READING_SECONDS // 2)
    except NoAnswerError as error:
        _log.exception("Job %s was read in a process of its own, which gave no answer", claim.job_id)
        return NoResult(Move.FAIL, error.ending, _ENDINGS[error.ending])
    except Exception:  # noqa: BLE001 - as above
        _log.exception("Job %s could not be read in a process of its own", claim.job_id)
        return _INTERNAL


def _read_file(claim: Claim) -> bytes | NoResult:
    try:
        return job_services.read_file(claim)
    except OSError as error:
        _log.exception("The file of job %s cannot be read", claim.job_id)
        return _GONE if isinstance(error, FileNotFoundError) else _UNREADABLE


def _end(claim: Claim, answer: Answer, batch: Batch) -> Outcome | NoResult:
    if isinstance(answer, NoResult):
        return answer
    if isinstance(answer, ImageError):
        return NoResult(Move.REFUSE, answer.fault, answer.message, answer.said)
    if answer.image_sha256 != claim.image_sha256:
        return _ALTERED
    warnings = (OTHER_PATIENT,) * (claim in batch.misnamed) + answer.warnings
    return Outcome(engine=batch.reader.engine, **vars(answer) | {"warnings": warnings})
