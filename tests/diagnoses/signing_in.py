"""Signing in as a person does, with a second factor."""

import re
import time
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.conftest import PASSWORD

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NEW = "five words nobody else joins"
"""A password that is taken."""
HERE = "192.0.2.7"
ELSEWHERE = "198.51.100.9"


def code_at(steps: int = 0, secret: str = SECRET) -> str:
    """What an authenticator app shows so many half-minutes from now."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps)))


def wrong_code() -> str:
    """One that the app shows at none of the times that are taken."""
    near = {code_at(steps) for steps in range(-3, 4)}
    return next(code for code in ("000000", "000001", "000002", "000003", "000004", "000005") if code not in near)


def give_app(user: User) -> None:
    TOTP.activate(user, SECRET)


def give_recovery_codes(user: User) -> list[str]:
    return list(RecoveryCodes.activate(user).get_unused_codes())


def post_password(client: Client, name: str, password: str = PASSWORD, **more: str) -> Any:
    return client.post(reverse("sign_in"), {"login": name, "password": password, **more})


def post_code(client: Client, code: str) -> Any:
    return client.post(reverse("mfa_authenticate"), {"code": code})


def confirm(client: Client, password: str = PASSWORD) -> Any:
    """Say once more that it is you."""
    return client.post(reverse("account_reauthenticate"), {"password": password, "next": reverse("security")})


def is_in(client: Client) -> bool:
    return bool(client.get(reverse("preferences")).status_code == 200)


def visitor(address: str = HERE) -> Client:
    return Client(REMOTE_ADDR=address)


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


def switched_off_meanwhile(user: User, password: str) -> None:
    """In the place of `set_password`, which takes a while: an administrator is faster."""
    User.objects.filter(pk=user.pk).update(is_active=False)
    AbstractBaseUser.set_password(user, password)


def factors_of(user: User) -> list[str]:
    return sorted(Authenticator.objects.filter(user=user).values_list("type", flat=True))
