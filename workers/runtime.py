"""What a worker's process holds: one model, its registration, and the sign that it is alive."""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection

from diagnoses.services import jobs as job_services
from diagnoses.services import registry
from diagnoses.services.jobs import Claim
from workers.inference.reader import Reader

_log = logging.getLogger(__name__)


class Runtime:
    """A loaded model in this process, reported to the database while the process lives."""

    def __init__(self) -> None:
        """Load the site's model. Raises ModelError."""
        self.worker_name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.reader = Reader(settings.CXR_MODELS_DIR / settings.CXR_MODEL, settings.CXR_ENGINE)
        self.model_version = registry.register_model_version(card=self.reader.card.model_dump(mode="json"))
        self._held: Collection[Claim] = ()
        self._stopped = threading.Event()
        self._presence = threading.Thread(target=self._stay_present, name="presence", daemon=True)

    def start(self) -> None:
        """Begin to report."""
        self._presence.start()

    @contextmanager
    def holding(self, claims: Collection[Claim]) -> Iterator[None]:
        """Keep the leases of these claims alive for as long as they are worked on, and not a moment longer."""
        self._held = claims
        try:
            yield
        finally:
            self._held = ()

    def stop(self) -> None:
        """Stop reporting and take the worker off the list."""
        self._stopped.set()
        self._presence.join(timeout=5)
        registry.remove_worker(name=self.worker_name)

    def _stay_present(self) -> None:
        beat_seconds = min(5.0, settings.CXR_LEASE_SECONDS / 4)
        while not self._stopped.is_set():
            self._report()
            self._stopped.wait(beat_seconds)
        connection.close()

    def _report(self) -> None:
        try:
            close_old_connections()
            registry.report_worker(name=self.worker_name, model_version=self.model_version, engine=self.reader.engine)
            job_services.extend_leases(worker_name=self.worker_name, claims=self._held)
        except DatabaseError as error:
            # The database is away: the leases run out and others take over, which is what they are for.
            _log.warning("The worker could not report: %s", error)
            connection.close()


@cache
def current() -> Runtime:
    """The runtime of this process, loaded at the first call."""
    runtime = Runtime()
    runtime.start()
    return runtime


def shut_down() -> None:
    """Stop the runtime of this process, if it has one."""
    if current.cache_info().currsize:
        current().stop()
