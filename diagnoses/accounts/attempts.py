"""An attempt at a password or a second factor, counted; in words while none is taken."""

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import ngettext

from diagnoses import audit
from diagnoses.models.audit import AuditAction
from diagnoses.services import lockout
from diagnoses.services.lockout import Attempt, LockedError

taken_back = lockout.take_back


def counted(request: HttpRequest, name: str) -> Attempt:
    """Count an attempt. Raises ValidationError with the time to wait, the same for every name there is or is not."""
    address = request.META.get("REMOTE_ADDR") or ""
    try:
        return lockout.begin_attempt(name=name, address=address)
    except LockedError as error:
        actor = audit.Actor(None, name[:150], address)
        audit.record(AuditAction.SIGN_IN_LOCKED, actor, seconds=error.seconds)
        raise ValidationError(_words(error.seconds), code="locked") from error


def _words(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return ngettext(
        "Too many attempts failed. Wait {count} minute, then try again.",
        "Too many attempts failed. Wait {count} minutes, then try again.",
        minutes,
    ).format(count=minutes)
