"""What allauth asks the product: whom to let in, in which words, and how secrets are kept."""

import base64
import secrets
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from django.contrib import messages
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from diagnoses import audit, factor_secrets
from diagnoses.accounts.attempts import counted, taken_back
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.second_factors import FACTORS, needs_second_factor

_SAID = {
    "account/messages/password_changed.txt": gettext_lazy("Your password is changed. Your other sessions have ended."),
    "mfa/messages/recovery_codes_generated.txt": gettext_lazy("There are new recovery codes."),
    "mfa/messages/totp_activated.txt": gettext_lazy("The authenticator app is set up."),
    "mfa/messages/totp_deactivated.txt": gettext_lazy("The authenticator app is removed."),
    "mfa/messages/webauthn_added.txt": gettext_lazy("The security key is added."),
    "mfa/messages/webauthn_removed.txt": gettext_lazy("The security key is removed."),
}
"""What a page says after something was done; of the rest it says nothing."""


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Signing in."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "enter_current_password": gettext_lazy("This is not your current password."),
        "incorrect_password": gettext_lazy("This is not your password."),
        "username_password_mismatch": gettext_lazy(
            "Please enter a correct username and password. Note that both fields may be case-sensitive."
        ),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Accounts come from an administrator."""
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """The user of a name and a password. Raises ValidationError while no attempt is taken."""
        attempt = counted(request, credentials["username"])
        user = authenticate(request, username=credentials["username"], password=credentials["password"])
        if user is not None:
            taken_back(attempt)
        return user if isinstance(user, User) else None

    def reauthenticate(self, user: User, password: str) -> bool:
        """Whether this is the user's password."""
        found = self.authenticate(self.request, username=user.get_username(), password=password)
        return found is not None and found.pk == user.pk

    def login(self, request: HttpRequest, user: User) -> None:
        """Sign in, unless the account was switched off while its second factor was waited for."""
        if not User.objects.filter(pk=user.pk, is_active=True).exists():
            raise ImmediateHttpResponse(self.respond_user_inactive(request, user))
        super().login(request, user)

    def set_password(self, user: User, password: str) -> None:
        """Keep it, and nothing else that was read of the account before; unless that was switched off meanwhile."""
        user.set_password(password)  # this takes a while, for which nobody waits
        with transaction.atomic():
            if User.objects.select_for_update(no_key=True).filter(pk=user.pk, is_active=True).first() is None:
                raise ImmediateHttpResponse(self.respond_user_inactive(self.request, user))
            user.save(update_fields=["password"])

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        """As if the account did not exist."""
        return redirect("sign_in")

    def get_client_ip(self, request: HttpRequest) -> str:
        """As the audit has it; where there is none the request came from this machine."""
        return str(request.META.get("REMOTE_ADDR") or "127.0.0.1")

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Where one came from."""
        return str(redirect("security").url)

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        message_context: dict[str, Any] | None = None,
        extra_tags: str = "",
        message: str | None = None,
    ) -> None:
        """In the product's own words."""
        words = message or _SAID.get(message_template or "")
        if words:
            messages.add_message(request, level, str(words), extra_tags=extra_tags)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Second factors."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "cannot_delete_authenticator": gettext_lazy(
            "Your role needs a second factor, and this is the last one. Set up another one first."
        ),
        "cannot_generate_recovery_codes": gettext_lazy(
            "Recovery codes stand in for a second factor. Set up an authenticator app or a security key first."
        ),
        "incorrect_code": gettext_lazy("This code is not right, or was used already. Wait for the next one."),
        "lost_secret": gettext_lazy(
            "This code is not right, or cannot be checked any more, since this site has lost the key to your codes. "
            "Use a security key, or ask an administrator to remove your second factors."
        ),
    }

    def get_totp_label(self, user: User) -> str:
        """How an authenticator app calls it."""
        return user.get_username()

    def can_delete_authenticator(self, authenticator: Any) -> bool:
        """Not the last one of somebody whose role needs one."""
        user = authenticator.user
        others = Authenticator.objects.filter(user=user, type__in=FACTORS).exclude(pk=authenticator.pk)
        return others.exists() or not needs_second_factor(user)

    def encrypt(self, text: str) -> str:
        """Secrets stand in the database under a key that does not."""
        return factor_secrets.sealed(text)

    def decrypt(self, encrypted_text: str) -> str:
        """What was encrypted above; where no key opens it any more, a secret that nobody has, so that no code fits."""
        return factor_secrets.opened(encrypted_text) or base64.b32encode(secrets.token_bytes(20)).decode()

    def generate_authenticator_name(self, user: User, type: Any) -> str:  # noqa: A002 - as allauth calls it
        """For a key that was given no name."""
        count = Authenticator.objects.filter(user=user, type=type).count()
        return _("Security key {number}").format(number=count + 1)


class SessionsAdapter(DefaultUserSessionsAdapter):  # type: ignore[misc]
    """The list of one's sessions."""

    def end_sessions(self, sessions: list[Any]) -> None:
        """End them, on record."""
        actor = audit.actor_of(self.request)
        for session in sessions:
            audit.record(AuditAction.SESSION_ENDED, actor, reason="user", begun_from=session.ip)
        super().end_sessions(sessions)
