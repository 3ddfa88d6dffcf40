"""A worker's own watch: it looks for work that nobody rang for, and leaves where it cannot be helped.

The doorbell makes reading prompt; nothing depends on it. Celery 5 has had releases whose consumers no longer heard
anything after Redis had been away, with the process alive and well: such a worker reads on by this watch, and ends
itself so that another takes its place.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import Error, close_old_connections, connection

from diagnoses.services import jobs as job_services
from workers.drain import drain
from workers.runtime import Runtime

_log = logging.getLogger(__name__)

_LOOK_EVERY_SECONDS = 2.0
_UNHEARD_SECONDS = 5
"""A job that has been ready for so long should have been heard of."""
_DEAF_ROUNDS = 6
_EXIT_STUCK = 70
_FINISH_SECONDS = 15.0
"""A round of reading takes ten seconds and what is left of its last batch."""


class Watch:
    """Runs beside the tasks of one worker's process, in two threads."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._deaf_rounds = 0
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to look."""
        for look in (self._look_for_work, self._leave_if_stuck):
            threading.Thread(target=self._again_and_again, args=(look,), name=look.__name__, daemon=True).start()

    def stop(self) -> None:
        """Look no more, and let what is being read come to its end: the process is about to.

        For Celery this process is idle while it reads what nobody rang for, so Celery does not wait for that.
        """
        self._stopped.set()
        self._runtime.working.acquire(timeout=_FINISH_SECONDS)

    def heard(self) -> None:
        """The doorbell was heard."""
        self._deaf_rounds = 0

    def _again_and_again(self, look: Callable[[], None]) -> None:
        while not self._stopped.wait(_LOOK_EVERY_SECONDS):
            look()

    def _look_for_work(self) -> None:
        """Read what has been ready for a while. Where that happens again and again, the doorbell is deaf."""
        try:
            close_old_connections()
            if not self._is_idle() or not job_services.is_overdue(self._runtime.model_versions, _UNHEARD_SECONDS):
                return
            _log.warning("Jobs wait that the doorbell did not ring for; reading them")
            drain(self._runtime)
        except Error as error:
            _log.warning("The database is out of reach (%s); looking again soon", error)
            connection.close()
            return
        self._deaf_rounds = self._deaf_rounds + 1 if job_services.doorbell_answers() else 0
        if self._deaf_rounds >= _DEAF_ROUNDS:
            _log.error("Redis answers, but this worker does not hear the doorbell any more. It ends; start it again.")
            os.kill(os.getppid(), signal.SIGTERM)

    def _leave_if_stuck(self) -> None:
        """End this process where a batch takes longer than any may: its leases run out, and its jobs go on alone."""
        since = self._runtime.busy_since
        if since is not None and time.monotonic() - since > settings.CXR_READING_SECONDS:
            _log.critical("A batch has taken more than %d s; the process ends", settings.CXR_READING_SECONDS)
            os._exit(_EXIT_STUCK)

    def _is_idle(self) -> bool:
        return self._runtime.busy_since is None
