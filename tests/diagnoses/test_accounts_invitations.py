"""Accounts come by invitation; nobody but their user ever knows a password."""

import logging
import re
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext, override

from diagnoses.audit import Actor
from diagnoses.models import AuditEvent, Invitation
from diagnoses.models.audit import AuditAction
from diagnoses.services import inviting
from diagnoses.services.inviting import invite
from tests.conftest import PASSWORD
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.panel import change_user
from tests.diagnoses.signing_in import (
    NEW,
    factors_of,
    give_app,
    give_recovery_codes,
    is_in,
    post_password,
    switched_off_meanwhile,
    text,
    visitor,
)

NOBODY = Actor(None, "")


@pytest.fixture
def panel(administrator: User) -> Client:
    """The panel, in the hands of an administrator who has just confirmed who they are."""
    client = visitor()
    post_password(client, "administrator")
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": reverse("security")})
    return client


def act(client: Client, action: str, *users: User) -> str:
    data = {"action": action, "_selected_action": [str(user.pk) for user in users]}
    return text(client.post(reverse("admin:auth_user_changelist"), data, follow=True))


def path_of(link: str) -> str:
    return re.sub(r"^https?://[^/]+", "", link)


def choose(client: Client, path: str, password: str = NEW) -> int:
    return client.post(path, {"new_password1": password, "new_password2": password}).status_code


def test_an_administrator_adds_an_account_that_nobody_can_sign_in_to(panel: Client) -> None:
    data = {"username": "newcomer", "email": "", "password1": NEW, "password2": NEW, "usable_password": "true"}
    panel.post(reverse("admin:auth_user_add"), data)
    newcomer = User.objects.get(username="newcomer")
    assert not newcomer.has_usable_password()


def test_the_link_is_shown_once_and_lets_its_user_choose_a_password_once(panel: Client, clinician: User) -> None:
    page = act(panel, "invite", clinician)
    [link] = set(re.findall(r"http://\S+/invitation/[\w-]+/", page))
    assert link not in text(panel.get(reverse("admin:auth_user_changelist")))
    path, newcomer = path_of(link), visitor()
    assert "Choose a password" in text(newcomer.get(path))
    assert choose(newcomer, path) == 302
    assert not is_in(newcomer)
    clinician.refresh_from_db()
    assert clinician.check_password(NEW)
    assert newcomer.get(path).status_code == 404
    assert choose(newcomer, path, "another one that is long") == 404
    post_password(newcomer, "clinician", NEW)
    assert is_in(newcomer)


def test_what_was_invited_and_set_is_on_record_without_the_link(panel: Client, clinician: User) -> None:
    page = act(panel, "invite", clinician)
    [link] = set(re.findall(r"/invitation/([\w-]+)/", page))
    choose(visitor(), reverse("invitation", args=[link]))
    kinds = AuditEvent.objects.filter(object_id=str(clinician.pk)).values_list("action", "actor_name")
    assert (AuditAction.ACCOUNT_INVITED, "administrator") in kinds
    assert (AuditAction.PASSWORD_CHANGED, "") in kinds
    assert link not in str(list(AuditEvent.objects.values())) + str(list(Invitation.objects.values()))


def test_a_link_is_valid_three_days(clinician: User, monkeypatch: pytest.MonkeyPatch) -> None:
    path = invite(user=clinician, actor=NOBODY)
    now = timezone.now()
    for later, status in ((timedelta(days=3, seconds=-5), 200), (timedelta(days=3, seconds=5), 404)):
        monkeypatch.setattr(inviting, "clock", lambda later=later: now + later)
        assert visitor().get(path).status_code == status


def test_a_new_link_voids_the_one_before_and_a_switched_off_account_has_none(clinician: User) -> None:
    first, second = (invite(user=clinician, actor=NOBODY) for _ in range(2))
    assert (visitor().get(first).status_code, visitor().get(second).status_code) == (404, 200)
    User.objects.update(is_active=False)
    assert visitor().get(second).status_code == 404


@pytest.mark.parametrize("change", ["switched off and on", "a new password", "another address"])
def test_a_link_does_not_outlive_what_it_was_made_for(clinician: User, change: str) -> None:
    path = invite(user=clinician, actor=NOBODY)
    if change == "a new password":
        clinician.set_password(NEW)
    elif change == "another address":
        clinician.email = "other@hospital.example"
    else:
        clinician.is_active = False
        clinician.save()
        clinician.is_active = True
    clinician.save()
    assert visitor().get(path).status_code == 404
    assert choose(visitor(), path, "another one that is long") == 404


def test_a_link_outlives_a_sign_in_and_a_change_of_role(clinician: User) -> None:
    path = invite(user=clinician, actor=NOBODY)
    post_password(visitor(), "clinician")
    clinician.is_staff = True
    clinician.save()
    assert visitor().get(path).status_code == 200


def test_two_administrators_who_invite_at_once_wait_for_each_other(clinician: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        invite(user=clinician, actor=NOBODY)
    said = [query["sql"] for query in queries if "auth_user" in query["sql"] or "invitation" in query["sql"]]
    assert said[0].endswith("FOR NO KEY UPDATE")


@pytest.mark.parametrize("password", ["short", "password1234", "clinician-123", "qwertyuiop12"])
def test_a_bad_password_is_told_and_the_link_stays(clinician: User, password: str) -> None:
    path = invite(user=clinician, actor=NOBODY)
    assert choose(visitor(), path, password) == 400
    assert visitor().get(path).status_code == 200


@pytest.mark.parametrize("is_forged", [False, True])
def test_what_is_refused_leaves_no_link_in_the_log(
    clinician: User, is_forged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = invite(user=clinician, actor=NOBODY)
    secret = path.split("/")[-2]
    status = choose(Client(enforce_csrf_checks=is_forged), path, "password1234")
    assert status == (403 if is_forged else 400)
    formatter: logging.Formatter = import_string("cxrsite.lines.LineFormatter")()
    written = [formatter.format(record) for record in caplog.records if secret in record.getMessage()]
    assert written
    assert all("/invitation/..." in line and secret not in line for line in written)


def test_a_link_ends_the_sessions_there_are(clinician: User) -> None:
    client = browser_of(clinician)
    choose(visitor(), invite(user=clinician, actor=NOBODY))
    assert not is_in(client)


def test_an_account_switched_off_while_its_password_is_hashed_stays_off(
    clinician: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = invite(user=clinician, actor=NOBODY)
    monkeypatch.setattr(User, "set_password", switched_off_meanwhile)
    assert choose(visitor(), path) == 404
    clinician.refresh_from_db()
    assert not clinician.is_active
    assert clinician.check_password(PASSWORD)


def test_it_is_mailed_where_there_is_a_mail_server_and_an_address(
    panel: Client, clinician: User, settings: LazySettings
) -> None:
    act(panel, "invite", clinician)
    settings.CXR_SENDS_MAIL = True
    act(panel, "invite", clinician)
    assert mail.outbox == []
    User.objects.filter(pk=clinician.pk).update(email="clinician@hospital.example")
    page = act(panel, "invite", clinician)
    [message] = mail.outbox
    assert message.to == ["clinician@hospital.example"]
    [link] = set(re.findall(r"/invitation/[\w-]+/", str(message.body)))
    assert link in page
    assert "The link works once" in message.body
    with override("vi"):
        assert gettext("Your account at the chest X-ray reader") in message.subject.split(" / ")


def test_lost_factors_are_removed_on_record_and_sessions_end(panel: Client, clinician: User) -> None:
    give_app(clinician)
    give_recovery_codes(clinician)
    client = browser_of(clinician)
    act(panel, "remove_second_factors", clinician)
    assert factors_of(clinician) == []
    assert not is_in(client)
    events = AuditEvent.objects.filter(action=AuditAction.FACTOR_REMOVED, actor_name="administrator")
    assert sorted(event.detail["type"] for event in events) == ["recovery_codes", "totp"]


def test_an_administrator_ends_all_sessions_of_an_account_on_record(
    panel: Client, clinician: User, outsider: User
) -> None:
    clients = [browser_of(clinician), browser_of(clinician)]
    others = browser_of(outsider)
    act(panel, "end_sessions", clinician)
    assert [is_in(client) for client in [*clients, others, panel]] == [False, False, True, True]
    event = AuditEvent.objects.get(action=AuditAction.SESSION_ENDED)
    assert (event.actor_name, event.object_id) == ("administrator", str(clinician.pk))
    assert event.detail == {"reason": "administrator", "sessions": 2}
    assert User.objects.get(pk=clinician.pk).is_active


@pytest.mark.parametrize("action", ["invite", "remove_second_factors", "end_sessions"])
def test_an_administrator_does_this_to_one_other_account_below_a_superusers(
    panel: Client, administrator: User, clinician: User, outsider: User, action: str
) -> None:
    superuser = User.objects.create_superuser("root", password=PASSWORD)
    give_app(superuser)
    assert "Only a superuser" in act(panel, action, superuser)
    assert "Choose one account" in act(panel, action, clinician, outsider)
    assert "use the page Security" in act(panel, action, administrator)
    User.objects.filter(pk=clinician.pk).update(is_active=False)
    assert "switched off" in act(panel, action, clinician)
    assert factors_of(superuser) == ["totp"]
    assert not Invitation.objects.exists()


@pytest.mark.parametrize("action", ["invite", "remove_second_factors", "end_sessions"])
def test_an_administrator_says_again_who_they_are_first(administrator: User, clinician: User, action: str) -> None:
    give_app(clinician)
    client = browser_of(administrator)
    data = {"action": action, "_selected_action": [str(clinician.pk)]}
    url = reverse("admin:auth_user_changelist")
    assert client.post(url, data)["Location"].startswith(reverse("account_reauthenticate"))
    assert not Invitation.objects.exists()
    assert factors_of(clinician) == ["totp"]
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": url})
    assert "Nothing was done yet: choose the action again" in text(client.get(url))


def test_nobody_else_invites(auditor: User, clinician: User) -> None:
    client = browser_of(auditor)
    data = {"action": "invite", "_selected_action": [str(clinician.pk)]}
    assert client.post(reverse("admin:auth_user_changelist"), data).status_code == 403


def test_no_form_of_the_panel_has_a_password(panel: Client, clinician: User) -> None:
    for url in (reverse("admin:auth_user_add"), reverse("admin:auth_user_change", args=[clinician.pk])):
        assert "password" not in panel.get(url).context["adminform"].form.fields
    assert panel.get(reverse("admin:auth_user_password_change", args=[clinician.pk])).status_code == 404
    data = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    panel.post(reverse("admin:auth_user_password_change", args=[clinician.pk]), data)
    clinician.refresh_from_db()
    assert clinician.check_password(PASSWORD)


def test_the_panel_shows_neither_factors_nor_sessions(superuser_panel: Client) -> None:
    page = text(superuser_panel.get(reverse("admin:index")))
    assert "authenticator" not in page.lower()
    assert "usersession" not in page.lower()


@pytest.fixture
def superuser_panel(db: None) -> Client:
    return browser_of(User.objects.create_superuser("root", password=PASSWORD))


def test_an_address_for_mail_is_changed_by_who_says_again_who_they_are(administrator: User, clinician: User) -> None:
    client = visitor()
    post_password(client, "administrator")
    changes = {"email": "other@hospital.example", "is_superuser": None, "user_permissions": None}
    change_user(client, clinician, **changes)
    assert "other@" not in str([row.get_decoded() for row in Session.objects.all()])
    url = reverse("admin:auth_user_change", args=[clinician.pk])
    answer = client.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": url})
    clinician.refresh_from_db()
    assert (clinician.email, answer["Location"]) == ("", url)
    assert "Nothing was done yet" in text(client.get(url))
    change_user(client, clinician, **changes)
    clinician.refresh_from_db()
    assert clinician.email == "other@hospital.example"
