"""Sign-ins of every outcome, from Django's and allauth's own signals, on record."""

from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.signals import authentication_failed, authenticator_reset
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from diagnoses import audit
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.typed_names import name_for_record


@receiver(user_logged_in)
def _signed_in(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    actor = audit.user_actor(user, request.META.get("REMOTE_ADDR", ""))
    audit.record(AuditAction.SIGN_IN, actor, factor=_factor(request, user))


@receiver(user_logged_out)
def _signed_out(sender: Any, request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        audit.record(AuditAction.SIGN_OUT, audit.user_actor(user, request.META.get("REMOTE_ADDR", "")))


@receiver(user_login_failed)
def _failed(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    name = name_for_record(str(credentials.get("username", "")))
    address = request.META.get("REMOTE_ADDR", "") if request else ""
    audit.record(AuditAction.SIGN_IN_FAILED, audit.Actor(None, name, address))


@receiver(authentication_failed)
def _second_factor_failed(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    audit.record(AuditAction.SECOND_FACTOR_FAILED, audit.user_actor(user, request.META.get("REMOTE_ADDR", "")))


@receiver(authenticator_reset)
def _new_recovery_codes(sender: Any, request: HttpRequest, user: User, authenticator: Any, **_: Any) -> None:
    audit.record(AuditAction.FACTOR_ADDED, audit.actor_of(request), user, type=authenticator.type)


def _factor(request: HttpRequest, user: User) -> str:
    """What was shown last: password, totp, webauthn or recovery_codes; none where it was done without the sign-in."""
    records = get_authentication_records(request, user)
    last = records[-1] if records else {}
    return str(last.get("type") or last.get("method") or "none")
