"""`manage.py scheduler`: puts right, every few seconds, what a crash may have left, each hour its files; sends mail."""

import logging
import signal
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, close_old_connections, connection

from diagnoses.audit import Actor
from diagnoses.services.anchoring import NoKeyError, anchor, audit_key, make_months, seal
from diagnoses.services.erasing import purge_studies
from diagnoses.services.exporting import remove_expired_exports
from diagnoses.services.lockout import forget_old_failures
from diagnoses.services.mailing import mail_notices
from diagnoses.services.recovery import reconcile
from diagnoses.services.sessions import forget_ended_sessions
from diagnoses.services.sweeping import sweep_orphans, sweep_quarantine

_EVERY_SECONDS = 2.0
_SEAL_EVERY_SECONDS = 1.0
_SWEEP_EVERY_SECONDS = 3600.0
_MAIL_EVERY_SECONDS = 10.0
_MAIL_AFTER_FAILURE_SECONDS = 60.0
_log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Runs until it is told to stop. Several may run: a lock in the database lets one at a time work."""

    help = (
        "Recover jobs whose worker was lost, ring for those that nobody heard of, remove old files, anchor the audit."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            audit_key()
        except NoKeyError as error:
            raise CommandError(str(error)) from error
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        # In a thread: to go through a large storage takes minutes, and lost jobs must not wait for it.
        threading.Thread(target=_sweep_again_and_again, args=(stop,), name="sweep", daemon=True).start()
        if settings.CXR_SENDS_MAIL:
            # In another: a mail server may keep one waiting.
            threading.Thread(target=_mail_again_and_again, args=(stop,), name="mail", daemon=True).start()
        threading.Thread(target=_anchor_again_and_again, args=(stop,), name="audit", daemon=True).start()
        threading.Thread(target=_seal_again_and_again, args=(stop,), name="seal", daemon=True).start()
        _log.info("The scheduler is up")
        while not stop.is_set():
            _round()
            stop.wait(_EVERY_SECONDS)
        _keep_audit()


def _round() -> None:
    try:
        close_old_connections()
        found = reconcile()
    except Error as error:
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
    except Error as error:
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
    steps: list[tuple[str, Callable[[], object]]] = [
        ("Failed sign-ins of before", forget_old_failures),
        ("Sessions that have ended", forget_ended_sessions),
        ("Expired exports", remove_expired_exports),
        ("The quarantine", sweep_quarantine),
        ("Files without a row", sweep_orphans),
    ]
    if days := settings.CXR_RETENTION_DAYS:
        purge = partial(purge_studies, actor=Actor(None, "scheduler"), days=days)
        steps.append(("Studies older than CXR_RETENTION_DAYS", purge))
    _do_each(steps)


def _anchor_again_and_again(stop: threading.Event) -> None:
    """At once, and then as often as the site says. The end is the main thread's, which waits for it."""
    while True:
        _keep_audit()
        if stop.wait(60.0 * settings.CXR_AUDIT_ANCHOR_MINUTES):
            return


def _seal_again_and_again(stop: threading.Event) -> None:
    """Each second, so that an event is soon held by the chain."""
    while not stop.wait(_SEAL_EVERY_SECONDS):
        _seal()


def _seal() -> None:
    try:
        seal()
    except Error as error:
        _log.warning("The audit's chain was not sealed (%s); trying again.", error)
    finally:
        connection.close()


def _keep_audit() -> None:
    _do_each([("The audit's months to come", make_months), ("The audit's anchor", anchor)])


def _do_each(steps: Iterable[tuple[str, Callable[[], object]]]) -> None:
    """Each though another fails, on a connection of its own where one was lost."""
    for name, step in steps:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - whatever it was, the other steps and the next round are due
            unforeseen = not isinstance(error, Error | OSError)
            _log.warning("%s: not done (%s); trying again later.", name, error, exc_info=unforeseen)
            connection.close()
    connection.close()
