"""Reading what is queued until nothing is."""

import time

from django.db import Error

from diagnoses.services import jobs as job_services
from workers.hand import empty_hand
from workers.runtime import Runtime

_BUDGET_SECONDS = 10.0


def drain(runtime: Runtime) -> int:
    """Claim and read until nothing is queued, and give back how many jobs were taken.

    After ten seconds the rest is left to a fresh ring, so that a stop or a time limit never meets a long task.
    """
    taken = 0
    until = time.monotonic() + _BUDGET_SECONDS
    is_over = False
    fault: Error | None = None
    with empty_hand(runtime) as hand:
        while True:
            is_over = taken > 0 and time.monotonic() > until
            if not is_over and not fault:
                try:
                    taken += hand.claim()
                except Error as error:
                    fault = error  # raised once what is in hand has come to its end
            if not hand.go_on():
                break
    if fault:
        raise fault
    if is_over:
        job_services.ring_for_the_rest()
    return taken
