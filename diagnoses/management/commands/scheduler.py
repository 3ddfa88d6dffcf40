"""`manage.py scheduler`: puts right, every few seconds, what a crash may have left, each hour its files; sends mail."""

import logging
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections, connection

from diagnoses.audit import Actor
from diagnoses.services.erasing import purge_studies
from diagnoses.services.exporting import remove_expired_exports
from diagnoses.services.mailing import mail_notices
from diagnoses.services.recovery import reconcile
from diagnoses.services.sweeping import sweep_orphans

_EVERY_SECONDS = 2.0
_SWEEP_EVERY_SECONDS = 3600.0
_MAIL_EVERY_SECONDS = 10.0
_MAIL_AFTER_FAILURE_SECONDS = 60.0
_log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Runs until it is told to stop. Several may run: a lock in the database lets one at a time work."""

    help = "Recover jobs whose worker was lost, ring for those that nobody heard of, remove old files."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        # In a thread: to go through a large storage takes minutes, and lost jobs must not wait for it.
        threading.Thread(target=_sweep_again_and_again, args=(stop,), name="sweep", daemon=True).start()
        if settings.CXR_SENDS_MAIL:
            # In another: a mail server may keep one waiting.
            threading.Thread(target=_mail_again_and_again, args=(stop,), name="mail", daemon=True).start()
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


def _mail_again_and_again(stop: threading.Event) -> None:
    """Every few seconds, and after a failure less often."""
    while not stop.wait(_MAIL_EVERY_SECONDS if _mail() else _MAIL_AFTER_FAILURE_SECONDS):
        pass


def _mail() -> bool:
    """Send what waits; whether all of it could be."""
    try:
        mailed = mail_notices()
    except DatabaseError as error:
        _log.warning("The database is out of reach for mail (%s); trying again.", error)
        return False
    finally:
        connection.close()
    return not mailed.failed


def _sweep_again_and_again(stop: threading.Event) -> None:
    """At once, and each hour, or as often as files may become orphans where that is shorter."""
    every = min(_SWEEP_EVERY_SECONDS, settings.CXR_ORPHAN_SECONDS)
    while True:
        _sweep()
        if stop.wait(every):
            return


def _sweep() -> None:
    try:
        remove_expired_exports()
        sweep_orphans()
        if settings.CXR_RETENTION_DAYS:
            purge_studies(actor=Actor(None, "scheduler"), days=settings.CXR_RETENTION_DAYS)
    except (DatabaseError, OSError) as error:
        _log.warning("Not all files were looked at (%s); trying again later.", error)
    finally:
        connection.close()
