"""What a worker has in hand: claimed and saved many at a time, read few at a time, and what is urgent before all."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice, takewhile

from diagnoses.services import jobs as job_services
from diagnoses.services.jobs import Claim
from workers.batch import Batch, End, begin, ends_of, save
from workers.runtime import Runtime

_CLAIMED_SECONDS = 0.2
"""Of the engine's work are claimed at once: more would keep from other workers what they could read sooner."""
_READ_SECONDS = 0.03
"""Of its work are read at once: an urgent image that comes meanwhile waits for the rest of it."""


class Hand:
    """While one batch is on the engine the next one is decoded; where something urgent comes, it is next."""

    def __init__(self, runtime: Runtime, engine: Executor) -> None:
        self._runtime = runtime
        self._engine = engine
        self._waiting: deque[Claim] = deque()
        self._reading: Batch | None = None
        self._ended: list[End] = []

    def claim(self) -> int:
        """Claim more where all that was claimed has been begun, and otherwise what is urgent; says how many jobs."""
        if self._next_is_urgent():
            return 0
        claims = job_services.claim_jobs(
            worker_name=self._runtime.worker_name,
            model_versions=self._runtime.model_versions,
            limit=self._runtime.pace.limit(_CLAIMED_SECONDS),
            urgent_only=bool(self._waiting),
        )
        self._runtime.hold(claims)
        self._waiting.extendleft(reversed(claims))
        return len(claims)

    def go_on(self) -> bool:
        """Begin a batch, then wait for the one before it, and save what is due. False where there was nothing to do.

        Beside an urgent one nothing is begun that can wait for its answer.
        """
        before, self._reading = self._reading, None
        if before is None or not before.is_urgent or self._next_is_urgent():
            self._reading = self._begin()
        if before:
            self._ended += ends_of(before)
        if self._ended and self._is_time_to_save():
            self._save()
        return bool(before or self._reading)

    def _is_time_to_save(self) -> bool:
        """Once there is nothing to read meanwhile, or enough has ended; and never later than what may take a minute."""
        is_enough = len(self._ended) >= self._runtime.pace.limit(_CLAIMED_SECONDS)
        return self._reading is None or self._reading.is_suspect or is_enough

    def _next_is_urgent(self) -> bool:
        return bool(self._waiting) and self._waiting[0].urgent

    def _begin(self) -> Batch | None:
        if not self._waiting:
            return None
        alike = takewhile(lambda claim: _kind(claim) == _kind(self._waiting[0]), self._waiting)
        claims = list(islice(alike, self._runtime.pace.limit(_READ_SECONDS)))
        for _ in claims:
            self._waiting.popleft()
        return begin(self._runtime, claims, self._engine)

    def _save(self) -> None:
        ends, self._ended = self._ended, []
        save(ends)
        self._runtime.let_go([claim for claim, _ in ends])


def _kind(claim: Claim) -> tuple[int, bool, bool]:
    """Only what agrees in it is read in one batch."""
    return claim.model_version_id, claim.urgent, claim.is_suspect


@contextmanager
def empty_hand(runtime: Runtime) -> Iterator[Hand]:
    """A hand for as long as it lasts. What is still in it at the end, after a fault, is left to its leases."""
    with runtime.working, ThreadPoolExecutor(1, thread_name_prefix="engine") as engine:
        try:
            yield Hand(runtime, engine)
        finally:
            runtime.let_go(runtime.held)
