"""The addresses of a user's own account: those of allauth that are used, and ours."""

from collections.abc import Callable

from allauth.account import views as account_views
from allauth.mfa.base import views as mfa_views
from allauth.mfa.recovery_codes import views as code_views
from allauth.mfa.totp import views as totp_views
from allauth.mfa.webauthn import views as key_views
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.cache import never_cache

from diagnoses.accounts.again import saying_what_is_undone
from diagnoses.views import account


def _again(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    return never_cache(saying_what_is_undone(view))


urlpatterns = [
    path("", account.security, name="security"),
    path("", account.security, name="mfa_index"),  # as allauth calls it
    path("session/", account.session_left, name="session_left"),
    path("sessions/", account.sessions, name="usersessions_list"),
    path("password/", account.change_password, name="account_change_password"),
    path("again/", _again(account_views.reauthenticate), name="account_reauthenticate"),
    path("again/code/", _again(mfa_views.reauthenticate), name="mfa_reauthenticate"),
    path("again/key/", _again(key_views.reauthenticate_webauthn), name="mfa_reauthenticate_webauthn"),
    path("app/", never_cache(totp_views.activate_totp), name="mfa_activate_totp"),
    path("app/remove/", never_cache(totp_views.deactivate_totp), name="mfa_deactivate_totp"),
    path("recovery-codes/", account.recovery_codes, name="mfa_view_recovery_codes"),
    path("recovery-codes/new/", never_cache(code_views.generate_recovery_codes), name="mfa_generate_recovery_codes"),
    path("keys/", account.security, name="mfa_list_webauthn"),  # as allauth calls it
    path("keys/new/", never_cache(key_views.add_webauthn), name="mfa_add_webauthn"),
    path("keys/<int:pk>/remove/", never_cache(account.remove_key), name="mfa_remove_webauthn"),
]
