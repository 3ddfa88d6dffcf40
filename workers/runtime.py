"""What a worker's process holds: every shipped model, and the sign that it is alive."""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Collection
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import Error, close_old_connections, connection

from diagnoses.services import jobs as job_services
from diagnoses.services import recovery, registry
from diagnoses.services.jobs import Claim
from workers.inference.card import ModelError
from workers.inference.engines import choose_engine
from workers.inference.reader import Reader
from workers.pace import Pace
from workers.shipped import shipped_folders

_log = logging.getLogger(__name__)


class Runtime:
    """The loaded models in this process, reported to the database while the process lives."""

    def __init__(self) -> None:
        """Load every shipped model. Raises ModelError where the live one is not among those that can be used."""
        self.worker_name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.model_versions, self.readers = [], {}
        for folder in shipped_folders(settings.CXR_MODELS_DIR):
            try:
                reader = _reader(folder)
                version = registry.register_model_version(card=reader.card.model_dump(mode="json"))
            except Exception:  # noqa: BLE001 - whatever is wrong with one model must not keep the others from reading
                _log.exception("The model in %s cannot be used; going on without it", folder)
            else:
                self.model_versions.append(version)
                self.readers[version.pk] = reader
        if not any(version.is_live for version in self.model_versions):
            raise ModelError(
                f"The site's default model is not among those in {settings.CXR_MODELS_DIR} that work here."
            )
        self.pace = Pace()
        self.working = threading.Lock()
        """Held by whoever reads: an engine answers one thread at a time."""
        self.busy_since: float | None = None
        """By the monotonic clock: when something was saved last, or the first claimed; None with nothing in hand."""
        self.held: tuple[Claim, ...] = ()
        """All claims in hand. A new tuple each time, so that the thread that extends their leases sees a whole one."""
        self._stopped = threading.Event()
        self._presence = threading.Thread(target=self._stay_present, name="presence", daemon=True)

    def start(self) -> None:
        """Put right what was left by those who died before, and begin to report."""
        recovery.reconcile()
        self._presence.start()

    def hold(self, claims: Collection[Claim]) -> None:
        """Keep the leases of these claims alive until they are let go."""
        self.held = (*self.held, *claims)
        if self.held and self.busy_since is None:
            self.busy_since = time.monotonic()

    def let_go(self, claims: Collection[Claim]) -> None:
        """Keep the leases of these claims no longer."""
        gone = set(claims)
        self.held = tuple(claim for claim in self.held if claim not in gone)
        self.busy_since = time.monotonic() if self.held else None

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
            engine = choose_engine(settings.CXR_ENGINE)
            registry.report_worker(name=self.worker_name, model_versions=self.model_versions, engine=engine)
            job_services.extend_leases(worker_name=self.worker_name, claims=self.held)
        except Error as error:
            # The database is away: the leases run out and others take over, which is what they are for.
            _log.warning("The worker could not report: %s", error)
            connection.close()


def _reader(folder: Path) -> Reader:
    return Reader(folder, settings.CXR_ENGINE, refuse_outside_age=settings.CXR_OUTSIDE_AGE == "refuse")


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
