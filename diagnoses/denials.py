"""What was refused or failed goes on record after its request has ended, whatever was undone with it."""

import logging
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import Error, transaction
from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

from diagnoses import audit
from diagnoses.audit_subjects import Subject
from diagnoses.models.audit import AuditAction

_log = logging.getLogger(__name__)

_REFUSED = {401, 403, 429}
_PROBES = {"healthz", "readyz"}
MOST_OF_A_USER = 60
"""Rows that one user's refusals make in a minute; what comes beyond is counted."""
MOST_OF_NOBODY = 1
"""The same for an address from which nobody has signed in."""
MOST_ADDRESSES = 100
"""Of so many of them each is counted by itself in a minute; all others together."""


class DenialsMiddleware(MiddlewareMixin):
    """Records refusals and failures. One that cannot be put on record stays refused, and is in the log."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Look at how the request ended."""
        action = _action(request, response.status_code)
        for denial in _counts.due():
            _record(denial)
        if action:
            self._note(request, action, response.status_code)
        return response

    def _note(self, request: HttpRequest, action: AuditAction, status: int) -> None:
        try:
            found = _counts.let_through(_denial(request, action, status))
        except Error as error:  # who it was is not known either
            _log.error("%s (%d) could not be put on record: %s", action.label, status, error)
            return
        for denial in found:
            _record(denial)


@dataclass(frozen=True)
class _Denial:
    action: AuditAction
    actor: audit.Actor
    subject: Subject
    detail: dict[str, Any]


class _Counts:
    """How many refusals each has had in this minute, so that nobody fills the disk with them. One per process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._seen: dict[tuple[str, str], int] = {}

    def let_through(self, denial: _Denial) -> list[_Denial]:
        """The denial, where it is to be a row of its own."""
        with self._lock:
            key = denial.actor.name, denial.actor.address
            if key not in self._seen and not key[0] and len(self._seen) >= MOST_ADDRESSES:
                key = "", ""
            self._seen[key] = self._seen.get(key, 0) + 1
            return [denial] if self._seen[key] <= _most_of(key) else []

    def due(self) -> list[_Denial]:
        """What the last minute's count came to, once it has passed."""
        minute = int(time.time() // 60)
        if minute == self._minute:
            return []
        with self._lock:
            seen, self._seen, self._minute = self._seen, {}, minute
        return [
            _Denial(AuditAction.ACCESS_DENIED, audit.Actor(None, name, address), Subject(), {"more": count - most})
            for (name, address), count in seen.items()
            if count > (most := _most_of((name, address)))
        ]


def _most_of(key: tuple[str, str]) -> int:
    return MOST_OF_A_USER if key[0] else MOST_OF_NOBODY


_counts = _Counts()


def _action(request: HttpRequest, status: int) -> AuditAction | None:
    match = request.resolver_match
    if match is not None and match.url_name in _PROBES:
        return None
    if status >= 500:
        return AuditAction.REQUEST_FAILED
    is_of_an_object = status == 404 and match is not None and _object_of(request) != Subject()
    return AuditAction.ACCESS_DENIED if status in _REFUSED or is_of_an_object else None


def _denial(request: HttpRequest, action: AuditAction, status: int) -> _Denial:
    page = request.resolver_match.view_name if request.resolver_match else ""
    detail = {"page": page, "method": request.method, "status": status}
    return _Denial(action, audit.actor_of(request), _object_of(request), detail)


def _object_of(request: HttpRequest) -> Subject:
    """What was asked for, by the address's own number: there need not be any such thing."""
    match = request.resolver_match
    for name, value in match.kwargs.items() if match else ():
        if isinstance(value, uuid.UUID) or name in ("pk", "object_id"):
            kind = name.removesuffix("_id")
            study = value if kind == "study" and isinstance(value, uuid.UUID) else None
            return Subject(object_type="" if kind in ("pk", "object") else kind, object_id=str(value)[:64], study=study)
    return Subject()


def _record(denial: _Denial) -> None:
    try:
        with transaction.atomic():
            audit.record_subject(denial.action, denial.actor, denial.subject, **denial.detail)
    except Error as error:
        _log.error("%s %s could not be put on record: %s", denial.action.label, denial.detail, error)
