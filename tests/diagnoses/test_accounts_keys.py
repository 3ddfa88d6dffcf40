"""Changing CXR_SECRET_KEY, which the secrets of second factors are sealed with."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import encrypt
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.urls import reverse

from diagnoses.audit import Actor
from diagnoses.models import AuditEvent
from diagnoses.models.audit import AuditAction
from diagnoses.services.factor_rotation import rotate_factors
from tests.diagnoses.signing_in import (
    code_at,
    confirm,
    give_app,
    give_recovery_codes,
    is_in,
    post_code,
    post_password,
    text,
    visitor,
)

NEW = "a new key of the site, of more than fifty characters, made for a test"
WHO = Actor(None, "terminal")


def change_key(settings: LazySettings) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = NEW


def opens(code: str) -> bool:
    client = visitor()
    post_password(client, "clinician")
    assert post_code(client, code).status_code in (200, 302)
    return is_in(client)


def test_after_rotate_keys_the_old_key_may_go(
    clinician: User, settings: LazySettings, capsys: pytest.CaptureFixture[str]
) -> None:
    give_app(clinician)
    codes = give_recovery_codes(clinician)
    change_key(settings)
    call_command("rotate_keys")
    settings.SECRET_KEY_FALLBACKS = []
    assert "2 apps' and recovery codes' secrets" in capsys.readouterr().out
    assert AuditEvent.objects.filter(action=AuditAction.KEYS_ROTATED, detail={"factors": 2, "lost": 0}).count() == 1
    assert opens(code_at())
    assert opens(codes[0])


def test_codes_of_another_product_go_along(clinician: User, settings: LazySettings) -> None:
    data = {"migrated_codes": [encrypt("1234567890"), encrypt("2345678901")]}
    give_app(clinician)
    Authenticator.objects.create(user=clinician, type="recovery_codes", data=data)
    change_key(settings)
    rotate_factors(actor=WHO)
    settings.SECRET_KEY_FALLBACKS = []
    assert opens("2345678901")


def test_a_secret_that_no_key_opens_is_told_and_lets_nobody_in(clinician: User, settings: LazySettings) -> None:
    give_app(clinician)
    codes = give_recovery_codes(clinician)
    old, settings.SECRET_KEY = settings.SECRET_KEY, NEW
    client = visitor()
    post_password(client, "clinician")
    for code in (code_at(), codes[0], "000000"):
        assert "this site has lost the key to your codes" in text(post_code(client, code))
    assert not is_in(client)
    assert rotate_factors(actor=WHO) == (0, 2)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert opens(code_at())


def test_recovery_codes_that_open_still_do_beside_an_app_that_is_lost(clinician: User, settings: LazySettings) -> None:
    give_app(clinician)
    settings.SECRET_KEY = NEW
    assert opens(give_recovery_codes(clinician)[0])


def test_recovery_codes_that_are_lost_are_not_shown_but_made_anew(clinician: User, settings: LazySettings) -> None:
    give_recovery_codes(clinician)
    settings.SECRET_KEY = NEW
    give_app(clinician)
    client = visitor()
    post_password(client, "clinician")
    post_code(client, code_at())
    confirm(client)
    assert "0 codes are left" in text(client.get(reverse("security")))
    assert client.get(reverse("mfa_view_recovery_codes"))["Location"] == reverse("mfa_generate_recovery_codes")
    assert client.get(reverse("mfa_generate_recovery_codes")).status_code == 200
