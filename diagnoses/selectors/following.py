"""Following a study until all of it has ended."""

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable

from django.db import close_old_connections

from diagnoses.notices import following
from diagnoses.selectors.studies import StudyState, study_state
from diagnoses.selectors.viewers import Viewer

LOOK_ANYWAY_SECONDS = 5.0
"""Without a notice. One may be missed, and of a place in the queue there is none."""
_LOOKS_A_SECOND = 10


LOOKING = threading.Semaphore(8)
"""Held for a look that keeps no connection after it: one notice may wake all who follow, and each look takes one."""


class Pace:
    """Bounds how often is looked in a second, however many notices come; a few in a row cost no delay."""

    def __init__(self) -> None:
        self._looks: deque[float] = deque([0.0] * _LOOKS_A_SECOND, maxlen=_LOOKS_A_SECOND)

    def pause_seconds(self) -> float:
        """How long to wait before the next look, which is counted."""
        now = time.monotonic()
        at = max(now, self._looks[0] + 1)
        self._looks.append(at)
        return at - now


def study_state_once_ended(
    user: Viewer, study_id: uuid.UUID, seconds: float, *, look_as: Callable[[], Viewer]
) -> StudyState:
    """A study as it stands once all of it has ended, or else after so many seconds; at once with none.

    `look_as` gives the user anew before each later look, since rights may end during the wait; what it raises ends it.
    No database connection is kept meanwhile. Raises Study.DoesNotExist, at once, for what is not visible.
    """
    if not seconds:
        return study_state(user, study_id)
    until = time.monotonic() + seconds
    pace = Pace()
    has_waited = False
    with following(study_id) as changes:
        while True:
            with LOOKING:
                state = study_state(look_as() if has_waited else user, study_id)
                if state.ended or (left := until - time.monotonic()) <= 0:
                    return state
                close_old_connections()
            changes.wait(min(left, LOOK_ANYWAY_SECONDS))
            time.sleep(max(0.0, min(pace.pause_seconds(), until - time.monotonic())))
            has_waited = True
