"""Packing exports in a worker's process, beside its tasks, while there is nothing to read.

A thread of its own: a task may last five minutes and an export longer, and a study that comes meanwhile is heard of at
once. Before each picture that thread waits until nothing is queued and nothing is being read here.
"""

import logging
import threading
import time

from django.db import Error, close_old_connections, connection

from diagnoses.services import exporting
from diagnoses.services.exporting import ExportClaim
from diagnoses.services.packing import pack
from workers.runtime import Runtime

_log = logging.getLogger(__name__)

_LOOK_EVERY_SECONDS = 2.0
_WAIT_SECONDS = 0.2
_KEEP_EVERY_SECONDS = 10.0
"""Between two signs that an export is still in hand: far below its lease."""
_STEP_SECONDS = 10.0
"""Longer takes no picture that is not stuck."""


class Packer:
    """Looks for exports, one after the other, until it is stopped."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._again_and_again, name="packer", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more, and leave what is in hand to another worker."""
        self._stopped.set()
        self._thread.join(_STEP_SECONDS)

    def pack_next(self) -> None:
        """Pack the export that has waited longest, if there is one and nothing comes before it."""
        if self._reading_comes_first():
            return
        claim = exporting.claim_export()
        if claim is None:
            return
        steps = pack(claim)
        kept_at = time.monotonic()
        for _ in steps:
            while self._reading_comes_first() and not self._stopped.wait(_WAIT_SECONDS):
                kept_at = _keep(claim, kept_at)
            kept_at = _keep(claim, kept_at)
            if self._stopped.is_set():
                steps.close()
                exporting.give_back_export(claim=claim)

    def _again_and_again(self) -> None:
        while not self._stopped.wait(_LOOK_EVERY_SECONDS):
            try:
                close_old_connections()
                self.pack_next()
            except Error as error:
                _log.warning("The database is out of reach (%s); looking for exports again soon", error)
                connection.close()
        connection.close()

    def _reading_comes_first(self) -> bool:
        return self._runtime.busy_since is not None or exporting.reading_comes_first(self._runtime.model_versions)


def _keep(claim: ExportClaim, kept_at: float) -> float:
    """Say now and then that the export is still in hand. Whether it is, packing itself finds out."""
    if time.monotonic() - kept_at < _KEEP_EVERY_SECONDS:
        return kept_at
    exporting.note_progress(claim=claim)
    return time.monotonic()
