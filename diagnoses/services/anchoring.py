"""The end of the audit's chain, kept each hour where the database's administrator cannot change it."""

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from logging.handlers import SysLogHandler
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from diagnoses.selectors.audit_chain import Head, head, mac_of

_log = logging.getLogger(__name__)

_AT_ONCE = 2000


class NoKeyError(Exception):
    """There is no key to sign with; the text says what to do."""


@dataclass(frozen=True)
class Anchor:
    """A line of the file: where the chain ended at that time. Its signature holds the line before it, too."""

    time: str
    seq: int
    hash: str
    mac: str


def audit_key() -> str:
    """What the ends of the chain and archives are signed with. Raises NoKeyError."""
    if not settings.CXR_AUDIT_KEY:
        raise NoKeyError(
            "CXR_AUDIT_KEY is missing: give 50 random characters or more, and keep them from the database."
        )
    return str(settings.CXR_AUDIT_KEY)


def anchor() -> Anchor:
    """Append the end of the chain, as it is now, to the file, and send it to the system's log where one is named."""
    key = audit_key()
    seal()
    end = head()
    with _open_for_one(settings.CXR_AUDIT_ANCHORS) as file:
        made = _signed(key, end, _last_mac(file))
        file.write(json.dumps(vars(made)) + "\n")
        file.flush()
        os.fsync(file.fileno())
    _send_to_syslog(made)
    return made


def read_anchors(path: Path, key: str) -> tuple[list[Anchor], list[str]]:
    """The anchors whose signature holds, and what is wrong with the others or with the file, by line."""
    anchors: list[Anchor] = []
    problems: list[str] = []
    previous = ""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            found = Anchor(**json.loads(line))
        except (ValueError, TypeError):
            problems.append(f"line {number} of {path.name} is no anchor")
            continue
        if found.mac == _mac(key, found.time, Head(found.seq, found.hash), previous):
            anchors.append(found)
        else:
            problems.append(f"line {number} of {path.name} is not signed with this key, or a line before it is missing")
        previous = found.mac
    return anchors, problems


def seal() -> int:
    """Append links for all events that have none yet, in the order of their numbers; how many."""
    sealed = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT diagnoses_audit_seal(%s)", [_AT_ONCE])
            [more] = cursor.fetchone() or (0,)
        sealed += more
        if more < _AT_ONCE:
            return sealed


def make_months() -> int:
    """Make the partitions of this month and the next three, where they are missing; how many were."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT diagnoses_make_audit_months()")
        [made] = cursor.fetchone() or (0,)
    return int(made)


def _signed(key: str, end: Head, previous: str) -> Anchor:
    time = timezone.now().isoformat(timespec="seconds")
    return Anchor(time, end.seq, end.hash, _mac(key, time, end, previous))


def _mac(key: str, time: str, end: Head, previous: str) -> str:
    return mac_of(key, "anchor", time, str(end.seq), end.hash, previous)


@contextmanager
def _open_for_one(path: Path) -> Iterator[TextIOWrapper]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _last_mac(file: TextIOWrapper) -> str:
    file.seek(0)
    last = ""
    for line in file:
        last = line
    try:
        return str(json.loads(last)["mac"]) if last else ""
    except (ValueError, KeyError, TypeError):
        return ""  # a line that was cut off; the check of the file names it


def _send_to_syslog(made: Anchor) -> None:
    address = settings.CXR_AUDIT_SYSLOG
    if not address:
        return
    host, colon, port = address.rpartition(":")
    try:
        handler = SysLogHandler((host, int(port)) if colon else address, SysLogHandler.LOG_AUTHPRIV)
    except OSError as error:
        _log.warning("The end of the audit's chain did not reach the system's log (%s); the file has it.", error)
        return
    words = f"cxr-audit anchor {json.dumps(vars(made))}"
    handler.handle(logging.LogRecord(__name__, logging.INFO, "", 0, words, None, None))
    handler.close()
