"""The states of a job and the moves between them. There are no others."""

from enum import StrEnum


class JobStatus(StrEnum):
    """Where the reading of one image stands. The values are stored and sent by the API."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class Move(StrEnum):
    """What may happen to a job."""

    CLAIM = "claim"
    COMPLETE = "complete"
    REFUSE = "refuse"
    FAIL = "fail"
    RECOVER = "recover"
    ABANDON = "abandon"
    RETRY = "retry"
    OVERRIDE = "override"
    RETARGET = "retarget"
    WITHDRAW = "withdraw"


ENDED = frozenset({JobStatus.DONE, JobStatus.REFUSED, JobStatus.FAILED})
"""States that a job leaves only when a person asks for it."""

LEGAL_MOVES: dict[Move, tuple[frozenset[JobStatus], JobStatus]] = {
    Move.CLAIM: (frozenset({JobStatus.QUEUED}), JobStatus.RUNNING),
    Move.COMPLETE: (frozenset({JobStatus.RUNNING}), JobStatus.DONE),
    Move.REFUSE: (frozenset({JobStatus.RUNNING}), JobStatus.REFUSED),
    Move.FAIL: (frozenset({JobStatus.RUNNING}), JobStatus.FAILED),
    Move.RECOVER: (frozenset({JobStatus.RUNNING}), JobStatus.QUEUED),
    Move.ABANDON: (frozenset({JobStatus.RUNNING}), JobStatus.FAILED),
    Move.RETRY: (frozenset({JobStatus.FAILED, JobStatus.REFUSED}), JobStatus.QUEUED),
    Move.OVERRIDE: (frozenset({JobStatus.REFUSED}), JobStatus.QUEUED),
    Move.RETARGET: (frozenset({JobStatus.QUEUED}), JobStatus.QUEUED),
    Move.WITHDRAW: (frozenset({JobStatus.QUEUED}), JobStatus.FAILED),
}
"""For each move, the states it starts from and the one it leads to."""


def is_legal(move: Move, source: JobStatus) -> bool:
    """Whether a job in `source` may make `move`."""
    return source in LEGAL_MOVES[move][0]
