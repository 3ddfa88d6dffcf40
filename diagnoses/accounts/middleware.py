"""Ends sessions in time, and opens nothing to who owes a second factor."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.deprecation import MiddlewareMixin

from diagnoses import audit
from diagnoses.accounts import timeouts
from diagnoses.accounts.factors import is_owed, may_be_lacking
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.second_factors import lacks_second_factor

POLLS = frozenset(
    {
        "export_list",
        "healthz",
        "notices",
        "readyz",
        "send_file",
        "send_state",
        "session_left",
        "study_events",
        "study_images",
        "worklist_changes",
    }
)
"""Addresses that an open page asks for, or sends waiting files to, by itself: nobody need be there."""

OPEN_WITHOUT_FACTOR = frozenset(
    {
        "account_reauthenticate",
        "healthz",
        "mfa_activate_totp",
        "mfa_add_webauthn",
        "mfa_generate_recovery_codes",
        "mfa_index",
        "mfa_view_recovery_codes",
        "readyz",
        "security",
        "session_left",
        "set_language",
        "sign_out",
    }
)
"""What one may reach who needs a second factor and has none."""


class SessionTimesMiddleware(MiddlewareMixin):
    """Ends a session after its time, and notes that somebody is there, once a minute at most."""

    def process_request(self, request: HttpRequest) -> None:
        """End what has lasted long enough, before anything is looked up for it."""
        if SESSION_KEY in request.session and not timeouts.seconds_left(request.session):
            audit.record(AuditAction.SESSION_ENDED, audit.actor_of(request), reason="time")
            leave(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: list[Any], kwargs: dict[str, Any]
    ) -> None:
        """Note it, but for what open pages ask for by themselves."""
        match = request.resolver_match
        if match and match.view_name not in POLLS and SESSION_KEY in request.session:
            timeouts.touch(request.session)


class SecondFactorMiddleware(MiddlewareMixin):
    """Opens nothing but the way to a second factor to who needs one and has none, or has one and did not show it."""

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Lead them there. What is open to everybody, or asks by itself as the API does, stays so."""
        user = request.user
        if not isinstance(user, User) or not getattr(view, "login_required", True):
            return None
        if is_owed(request.session):
            audit.record(AuditAction.SESSION_ENDED, audit.actor_of(request), reason="second_factor")
            leave(request)
            return redirect("sign_in")
        match = request.resolver_match
        is_open = match is not None and match.view_name in OPEN_WITHOUT_FACTOR
        if not may_be_lacking(request.session) or not lacks_second_factor(user):
            return None
        request.lacks_factor = True  # type: ignore[attr-defined]  # for the header, which then leads nowhere
        return None if is_open else redirect("security")


def leave(request: HttpRequest) -> None:
    """End the session of a request; it goes on as nobody's."""
    request.session.flush()
    request.user = AnonymousUser()
