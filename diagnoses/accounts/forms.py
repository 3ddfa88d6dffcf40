"""Allauth's forms, with attempts counted and no code taken twice."""

from typing import Any

from allauth.account.adapter import get_adapter as account_adapter
from allauth.account.forms import ChangePasswordForm, LoginForm
from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AuthenticateWebAuthnForm, ReauthenticateWebAuthnForm
from django import forms
from django.contrib.auth.forms import SetPasswordForm
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.utils.translation import gettext as _

from diagnoses.accounts.attempts import counted, counted_code, taken_back
from diagnoses.accounts.codes import take_code
from diagnoses.selectors.second_factors import has_lost_secrets

_LONGEST = 4096
"""Characters of a new password, far above what anybody types: beyond it nothing looks at what it is made of."""


class SignInForm(LoginForm):  # type: ignore[misc]
    """A name and a password."""

    def clean_login(self) -> str:
        """The name as it was typed: an account's may begin or end with anything."""
        return str(self.cleaned_data["login"])


class InvitationForm(SetPasswordForm):  # type: ignore[type-arg]
    """A new password twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _bound(self.fields["new_password1"], self.fields["new_password2"])


class PasswordForm(ChangePasswordForm):  # type: ignore[misc]
    """The current password, and a new one twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _bound(self.fields["password1"], self.fields["password2"])

    def clean_oldpassword(self) -> str:
        """The current one: an attempt like any other, counted and on record."""
        password = str(self.cleaned_data["oldpassword"])
        if not account_adapter().reauthenticate(self.user, password):
            raise account_adapter().validation_error("enter_current_password")
        return password

    def clean(self) -> Any:
        """What was typed, both new ones the same."""
        cleaned = super().clean()
        if cleaned.get("password1") and "password2" in self.data and self.has_error("password2"):
            differ = self.data["password2"] != cleaned["password1"]
            if self.data["password2"] and differ:
                del self.errors["password2"]
                self.add_error("password2", _("The two new passwords are not the same. Type both again."))
        return cleaned


class _Code:
    """A code of an authenticator app, or one for recovery."""

    user: Any

    def clean_code(self) -> str:
        """The code, once."""
        attempt = counted_code(context.request, self.user)
        try:
            code: str = super().clean_code()  # type: ignore[misc]
        except ValidationError:
            if has_lost_secrets(self.user):
                raise get_adapter().validation_error("lost_secret") from None
            raise
        authenticator = self.authenticator  # type: ignore[attr-defined]
        if authenticator.type == Authenticator.Type.TOTP and not take_code(authenticator, code):
            _say_failed(self.user, authenticator)
            raise get_adapter().validation_error("incorrect_code")
        taken_back(attempt)
        return code


class CodeForm(_Code, AuthenticateForm):  # type: ignore[misc]
    """At sign-in."""


class CodeAgainForm(_Code, ReauthenticateForm):  # type: ignore[misc]
    """Before something that matters."""


class ActivateForm(ActivateTOTPForm):  # type: ignore[misc]
    """The first code of an authenticator app."""

    def clean_code(self) -> str:
        """The code."""
        attempt = counted(context.request, self.user.get_username())
        code: str = super().clean_code()
        taken_back(attempt)
        return code


class _Key:
    """What a security key signed."""

    user: Any

    def clean_credential(self) -> Any:
        """The authenticator that it belongs to."""
        attempt = counted(context.request, self.user.get_username())
        try:
            credential = super().clean_credential()  # type: ignore[misc]
        except ValidationError:
            _say_failed(self.user, None)
            raise
        taken_back(attempt)
        return credential


class KeyForm(_Key, AuthenticateWebAuthnForm):  # type: ignore[misc]
    """At sign-in."""


class KeyAgainForm(_Key, ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """Before something that matters."""


def _bound(*fields: forms.Field) -> None:
    """No length that the browser is told, which would cut off what is pasted and say nothing."""
    for field in fields:
        field.validators.append(MaxLengthValidator(_LONGEST))


def _say_failed(user: Any, authenticator: Any) -> None:
    authentication_failed.send(
        sender=Authenticator, request=context.request, user=user, authenticator=authenticator, reauthentication=False
    )
