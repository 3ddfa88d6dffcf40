"""Second factors: asked for, taken once, and not to be got around."""

import re

import pytest
from allauth.account.internal.flows import reauthentication
from allauth.mfa.models import Authenticator
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.test import Client
from django.urls import reverse

from diagnoses.models import AuditEvent
from diagnoses.models.audit import AuditAction
from tests.conftest import PASSWORD
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.signing_in import (
    SECRET,
    code_at,
    confirm,
    factors_of,
    give_app,
    give_recovery_codes,
    is_in,
    post_code,
    post_password,
    text,
    visitor,
    wrong_code,
)


@pytest.fixture
def guarded(clinician: User) -> User:
    """One with an authenticator app."""
    give_app(clinician)
    return clinician


@pytest.fixture(autouse=True)
def _committed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a commit is done within its request, as on a site; a test's own transaction ends after it."""
    monkeypatch.setattr(transaction, "on_commit", lambda act: act())


def actions() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("action", flat=True))


def test_the_password_alone_opens_nothing(guarded: User) -> None:
    client = visitor()
    answer = post_password(client, "clinician")
    assert answer["Location"] == reverse("mfa_authenticate")
    assert not is_in(client)
    assert AuditAction.SIGN_IN not in actions()


def test_the_code_opens_and_leads_on_with_a_new_session_id(guarded: User) -> None:
    client = visitor()
    client.get(reverse("sign_in"))
    post_password(client, "clinician", next=reverse("history"))
    before = client.cookies["sessionid"].value
    answer = post_code(client, code_at())
    assert answer["Location"] == reverse("history")
    assert client.cookies["sessionid"].value != before
    assert not Session.objects.filter(session_key=before).exists()
    assert is_in(client)
    assert actions()[-1] == AuditAction.SIGN_IN


def test_the_record_says_with_which_factor_one_signed_in(guarded: User) -> None:
    for code in (code_at(), give_recovery_codes(guarded)[0]):
        client = visitor()
        post_password(client, "clinician")
        post_code(client, code)
    signed_in = AuditEvent.objects.filter(action=AuditAction.SIGN_IN).order_by("id")
    assert [event.detail for event in signed_in] == [{"factor": "totp"}, {"factor": "recovery_codes"}]


@pytest.mark.parametrize("code", ["", "12", "abcdef", "0" * 400, "\u0660\u0661\u0662\u0663\u0664\u0665"])
def test_no_other_code_opens(guarded: User, code: str) -> None:
    client = visitor()
    post_password(client, "clinician")
    assert post_code(client, code).status_code == 200
    assert not is_in(client)


def test_a_wrong_code_is_told_and_on_record(guarded: User) -> None:
    client = visitor()
    post_password(client, "clinician")
    assert "This code is not right" in text(post_code(client, wrong_code()))
    assert actions()[-1] == AuditAction.SECOND_FACTOR_FAILED


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_code_is_taken_once_in_any_process(guarded: User, steps: int, settings: LazySettings) -> None:
    code = code_at(steps)
    for opens in (True, False):
        # As in another process of the site: what one keeps in its memory the other does not have.
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
        client = visitor()
        post_password(client, "clinician")
        post_code(client, code)
        assert is_in(client) is opens


def test_a_code_from_before_one_that_was_used_is_not_taken(guarded: User) -> None:
    for code, opens in ((code_at(1), True), (code_at(0), False)):
        client = visitor()
        post_password(client, "clinician")
        post_code(client, code)
        assert is_in(client) is opens


def test_a_recovery_code_is_taken_once(guarded: User) -> None:
    code = give_recovery_codes(guarded)[3]
    assert re.fullmatch(r"\d{10}", code)
    for opens in (True, False):
        client = visitor()
        post_password(client, "clinician")
        post_code(client, code)
        assert is_in(client) is opens


def test_a_secret_stands_in_the_database_under_a_key(guarded: User) -> None:
    give_recovery_codes(guarded)
    assert SECRET not in str(list(Authenticator.objects.values()))


def test_a_session_that_did_not_show_the_factor_is_ended(guarded: User) -> None:
    client = browser_of(guarded)
    assert client.get(reverse("worklist"))["Location"] == reverse("sign_in")
    assert not is_in(client)
    assert actions()[-1] == AuditAction.SESSION_ENDED


def test_setting_up_asks_who_it_is_first_then_shows_a_secret_and_recovery_codes_once(clinician: User) -> None:
    client = visitor()
    post_password(client, "clinician")
    url = reverse("mfa_activate_totp")
    assert client.get(url)["Location"].startswith(reverse("account_reauthenticate"))
    confirm(client)
    page = client.get(url)
    secret = page.context["form"].secret
    assert secret in text(page)
    before = client.cookies["sessionid"].value
    answer = client.post(url, {"code": code_at(0, secret)})
    assert answer["Location"] == reverse("mfa_view_recovery_codes")
    codes = re.findall(r"<li><code>(\d+)</code>", text(client.get(answer["Location"])))
    assert len(set(codes)) == 10
    assert not re.findall(r"<li><code>", text(client.get(answer["Location"])))
    assert client.cookies["sessionid"].value != before
    assert factors_of(clinician) == ["recovery_codes", "totp"]
    assert actions().count(AuditAction.FACTOR_ADDED) == 2


def test_setting_up_ends_the_sessions_that_have_only_the_password(clinician: User) -> None:
    here, elsewhere, other_way = visitor(), visitor(), browser_of(clinician)
    post_password(here, "clinician")
    post_password(elsewhere, "clinician")
    confirm(here)
    secret = here.get(reverse("mfa_activate_totp")).context["form"].secret
    here.post(reverse("mfa_activate_totp"), {"code": code_at(0, secret)})
    assert is_in(here)
    assert not is_in(elsewhere)
    assert not is_in(other_way)


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_the_code_that_set_the_app_up_signs_nobody_in(clinician: User, steps: int) -> None:
    client = visitor()
    post_password(client, "clinician")
    confirm(client)
    secret = client.get(reverse("mfa_activate_totp")).context["form"].secret
    code = code_at(steps, secret)
    client.post(reverse("mfa_activate_totp"), {"code": code})
    assert "totp" in factors_of(clinician)
    other = visitor()
    post_password(other, "clinician")
    post_code(other, code)
    assert not is_in(other)


def in_with_code(client: Client) -> Client:
    post_password(client, "clinician")
    post_code(client, code_at())
    confirm(client)
    return client


def test_the_app_is_removed_by_who_says_again_that_it_is_them(guarded: User) -> None:
    client = visitor()
    post_password(client, "clinician")
    post_code(client, code_at())
    client.post(reverse("mfa_deactivate_totp"))
    assert factors_of(guarded) == ["totp"]
    confirm(client)
    client.post(reverse("mfa_deactivate_totp"))
    assert factors_of(guarded) == []
    assert AuditAction.FACTOR_REMOVED in actions()
    assert is_in(client)


@pytest.mark.parametrize("name", ["mfa_deactivate_totp", "mfa_generate_recovery_codes", "mfa_remove_webauthn"])
def test_what_was_sent_before_one_said_who_one_is_is_not_done_afterwards(guarded: User, name: str) -> None:
    codes = give_recovery_codes(guarded)
    key = Authenticator.objects.create(user=guarded, type="webauthn", data={"name": "Key", "credential": {}})
    client = visitor()
    post_password(client, "clinician")
    post_code(client, code_at())
    url = reverse(name, args=[key.pk] if name == "mfa_remove_webauthn" else [])
    asked = client.post(url)["Location"]
    assert asked.startswith(reverse("account_reauthenticate"))
    assert client.post(asked, {"password": PASSWORD})["Location"] == url
    assert "Nothing was done yet: choose the action again" in text(client.get(reverse("security")))
    assert factors_of(guarded) == ["recovery_codes", "totp", "webauthn"]
    left = Authenticator.objects.get(user=guarded, type="recovery_codes").wrap().get_unused_codes()
    assert left == codes


def test_the_last_factor_stays_while_the_role_needs_one(guarded: User, settings: LazySettings) -> None:
    client = in_with_code(visitor())
    settings.CXR_MFA_ROLES = frozenset({"clinician"})
    assert "this is the last one" in text(client.post(reverse("mfa_deactivate_totp")))
    assert factors_of(guarded) == ["totp"]


def test_the_last_key_stays_while_the_role_needs_one(guarded: User, settings: LazySettings) -> None:
    key = Authenticator.objects.create(user=guarded, type="webauthn", data={"name": "Key", "credential": {}})
    client = in_with_code(visitor())
    settings.CXR_MFA_ROLES = frozenset({"clinician"})
    client.post(reverse("mfa_deactivate_totp"))
    assert factors_of(guarded) == ["webauthn"]
    client.post(reverse("mfa_remove_webauthn", args=[key.pk]))
    assert factors_of(guarded) == ["webauthn"]


def test_a_reauthentication_lasts_five_minutes(clinician: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client = visitor()
    post_password(client, "clinician")
    confirm(client)
    assert client.get(reverse("mfa_activate_totp")).status_code == 200
    now = reauthentication.time.time()
    monkeypatch.setattr(reauthentication.time, "time", lambda: now + 301)
    assert client.get(reverse("mfa_activate_totp")).status_code == 302


def test_a_wrong_password_confirms_nothing(clinician: User) -> None:
    client = visitor()
    post_password(client, "clinician")
    assert "This is not your password" in text(confirm(client, "wrong"))
    assert client.get(reverse("mfa_activate_totp")).status_code == 302


def test_who_cancels_is_asked_for_the_password_again(guarded: User) -> None:
    client = visitor()
    post_password(client, "clinician")
    client.post(reverse("cancel_sign_in"))
    assert client.get(reverse("mfa_authenticate"))["Location"] == reverse("sign_in")
    post_code(client, code_at())
    assert not is_in(client)


def test_an_account_switched_off_between_password_and_code_stays_out(guarded: User) -> None:
    client = visitor()
    post_password(client, "clinician")
    User.objects.update(is_active=False)
    post_code(client, code_at())
    assert AuditAction.SIGN_IN not in actions()
    User.objects.update(is_active=True)
    assert not is_in(client)


def test_a_session_is_not_remembered_beyond_the_browser(clinician: User) -> None:
    client = visitor()
    post_password(client, "clinician", remember="on")
    assert client.cookies["sessionid"]["max-age"] == ""
