"""An attempt at a password or a second factor, counted; in words while none is taken."""

import threading
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import ngettext

from diagnoses import audit
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.typed_names import name_for_record
from diagnoses.services import lockout
from diagnoses.services.lockout import Attempt, LockedError

taken_back = lockout.take_back


class _Told:
    """Of which locks the record has been told, by this process: a row for each, and not for each attempt at it.

    Only failures make locks, and each has its own row, so that nobody fills the record, or this, any faster.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._until: dict[str, datetime] = {}

    def is_new(self, key: str, until: datetime) -> bool:
        """Whether this is heard for the first time."""
        with self._guard:
            if self._until.get(key) == until:
                return False
            now = lockout.clock()
            self._until = {known: end for known, end in self._until.items() if end > now} | {key: until}
            return True


_told = _Told()


def counted(request: HttpRequest, name: str) -> Attempt:
    """Count an attempt. Raises ValidationError with the time to wait, the same for every name there is or is not."""
    return _counted(request, name, None)


def counted_code(request: HttpRequest, user: User) -> Attempt:
    """The same for a code of a user whose password was right: these are bounded for the account as well."""
    return _counted(request, user.get_username(), user.pk)


def _counted(request: HttpRequest, name: str, code_of: int | None) -> Attempt:
    address = request.META.get("REMOTE_ADDR") or ""
    try:
        return lockout.begin_attempt(name=name, address=address, code_of=code_of)
    except LockedError as error:
        if _told.is_new(*error.lock):
            actor = audit.Actor(None, name_for_record(name), address)
            detail: dict[str, Any] = {} if code_of is None else {"step": "code"}
            audit.record(AuditAction.SIGN_IN_LOCKED, actor, seconds=error.seconds, **detail)
        raise ValidationError(_words(error.seconds), code="locked") from error


def _words(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return ngettext(
        "Too many attempts failed. Wait {count} minute, then try again.",
        "Too many attempts failed. Wait {count} minutes, then try again.",
        minutes,
    ).format(count=minutes)
