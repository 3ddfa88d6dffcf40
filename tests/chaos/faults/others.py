"""The machine's own troubles: a disk that is full or fails, a clock that jumps."""

import time

from tests.chaos.faults.registry import Hands, fault
from tests.integration.site import wait_until

_HOUR = 3600
_LEASES_BACK = """
UPDATE diagnoses_job SET lease_until = lease_until - interval '1 hour'
WHERE id IN (SELECT id FROM diagnoses_job WHERE status = 'running' FOR UPDATE SKIP LOCKED) RETURNING 1
"""
_RECOVERED = "SELECT count(*) FROM diagnoses_jobtransition WHERE move = 'recover'"


@fault("full disk")
def full_disk(hands: Hands) -> None:
    """Nothing more is taken in, before anything fails."""
    before = _refusals(hands)
    with hands.place.full_disk():
        wait_until(lambda: _refusals(hands) > before, 30, "something is turned away for want of room")
        time.sleep(hands.pause_seconds / 5)


def _refusals(hands: Hands) -> int:
    return hands.ledger.times_no_room + hands.ledger.storage_refusals()


@fault("failing disk")
def failing_disk(hands: Hands) -> None:
    """Half of a picture is written, and no more."""
    before = hands.ledger.storage_refusals()
    with hands.place.failing_disk():
        wait_until(lambda: hands.ledger.storage_refusals() > before, 30, "a file cannot be kept")
        time.sleep(hands.pause_seconds / 5)


@fault("clock jump")
def clock_jumps(hands: Hands) -> None:
    """The processes' clock goes an hour forwards and back; then the leases run out at once, as by the database's."""
    for jump in (_HOUR, -_HOUR, 0):
        hands.place.clock.write_text(str(jump))
        hands.stream.deliver(hands.stream.files())
        time.sleep(hands.pause_seconds / 10)
    with hands.worker_held():
        before = hands.site.rows(_RECOVERED)

        def taken_away() -> bool:
            hands.site.rows(_LEASES_BACK)
            return hands.site.rows(_RECOVERED) != before

        wait_until(taken_away, 20, "the scheduler takes a job away from a worker that lives")
