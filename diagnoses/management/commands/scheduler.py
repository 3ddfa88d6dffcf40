"""`manage.py scheduler`: puts right, every few seconds, what a crash may have left."""

import logging
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections, connection

from diagnoses.services.recovery import reconcile

_EVERY_SECONDS = 2.0
_log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Runs until it is told to stop. Several may run: a lock in the database lets one at a time work."""

    help = "Recover jobs whose worker was lost, and ring for those that nobody heard of."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        _log.info("The scheduler is up")
        while not stop.is_set():
            _round()
            stop.wait(_EVERY_SECONDS)


def _round() -> None:
    try:
        close_old_connections()
        found = reconcile()
    except DatabaseError as error:
        _log.warning("The database is out of reach (%s); trying again.", error)
        connection.close()
        return
    if found.recovered or found.abandoned:
        _log.warning("%d jobs recovered, %d given up", found.recovered, found.abandoned)
    if found.retargeted or found.withdrawn:
        _log.warning(
            "Of a model that is gone, %d jobs went to the default and %d were ended", found.retargeted, found.withdrawn
        )
    if found.rung:
        _log.info("Rang again for %d jobs", found.rung)
