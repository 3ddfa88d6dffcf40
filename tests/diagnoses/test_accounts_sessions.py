"""Sessions end: by themselves, by their user, and with the account."""

from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from asgiref.sync import async_to_sync
from django.conf import LazySettings
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from diagnoses.accounts import timeouts
from diagnoses.accounts.middleware import POLLS
from diagnoses.audit import user_actor
from diagnoses.models import AuditEvent, ModelVersion, Study
from diagnoses.models.audit import AuditAction
from diagnoses.roles import Role
from diagnoses.services.sessions import forget_ended_sessions
from diagnoses.services.tokens import create_token
from diagnoses.states import JobStatus
from diagnoses.views import studies as study_views
from tests.conftest import PASSWORD, make_user
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import make_study
from tests.diagnoses.signing_in import (
    HERE,
    NEW,
    confirm,
    give_app,
    is_in,
    post_code,
    post_password,
    switched_off_meanwhile,
    text,
    visitor,
)


class Clock:
    """Stands, until it is moved."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at

    def move(self, *, minutes: float = 0, hours: float = 0) -> None:
        self.at += 60 * minutes + 3600 * hours


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timeouts, "clock", clock)
    return clock


def events(action: AuditAction) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action).order_by("id"))


def test_a_session_that_nobody_sits_at_ends_after_fifteen_minutes(clock: Clock, clinician: User) -> None:
    client = browser_of(clinician)
    clock.move(minutes=14.9)
    assert is_in(client)
    clock.move(minutes=14.9)
    assert is_in(client)
    clock.move(minutes=15)
    assert client.get(reverse("worklist"))["Location"] == f"{reverse('sign_in')}?next=/"
    assert [(event.actor_name, event.detail) for event in events(AuditAction.SESSION_ENDED)] == [
        ("clinician", {"reason": "time"})
    ]
    assert not Session.objects.exists()


def test_a_session_ends_after_twelve_hours_whatever_is_done(clock: Clock, clinician: User) -> None:
    client = browser_of(clinician)
    for _ in range(71):
        clock.move(minutes=10)
        assert is_in(client)
    clock.move(minutes=10)
    assert not is_in(client)


def test_both_times_can_be_set(clock: Clock, clinician: User, settings: LazySettings) -> None:
    settings.CXR_IDLE_SECONDS = 60 * 60
    client = browser_of(clinician)
    clock.move(minutes=59)
    assert is_in(client)
    settings.CXR_SESSION_SECONDS = 60 * 60
    clock.move(minutes=1)
    assert not is_in(client)


@pytest.mark.parametrize("name", sorted(POLLS - {"healthz", "readyz", "send_file"}))
def test_what_an_open_page_asks_for_by_itself_keeps_no_session(
    clock: Clock, clinician: User, done_study: Study, name: str
) -> None:
    client = browser_of(clinician)
    args = [done_study.pk] if name in ("study_events", "study_images") else []
    for _ in range(2):
        clock.move(minutes=7)
        assert client.get(reverse(name, args=args)).status_code == 200
    clock.move(minutes=1)
    assert not is_in(client)


def test_a_page_that_sends_waiting_files_keeps_no_session(clock: Clock, clinician: User) -> None:
    client = browser_of(clinician)
    for _ in range(2):
        clock.move(minutes=7)
        assert client.post(reverse("send_file"), {"sender": clinician.pk}).status_code == 400
    clock.move(minutes=1)
    assert client.post(reverse("send_file"), {"sender": clinician.pk})["Location"].startswith(reverse("sign_in"))


def test_no_poll_of_a_page_is_missing_from_the_list() -> None:
    """Each address that a page is told to ask for again and again, as the templates and modules have it."""
    assert {"worklist_changes", "notices", "export_list", "send_state", "study_events", "study_images"} <= POLLS


def test_that_somebody_is_there_is_said_by_the_page_and_keeps_it(clock: Clock, clinician: User) -> None:
    client = browser_of(clinician)
    for _ in range(10):
        clock.move(minutes=14)
        assert client.post(reverse("session_left")).json() == {"left": 900, "last": False, "user": str(clinician.pk)}
    clock.move(minutes=14)
    assert client.get(reverse("session_left")).json()["left"] == 60
    assert client.get(reverse("session_left")).json()["left"] == 60


def test_near_the_end_of_the_whole_session_the_page_is_told_that_staying_does_not_help(
    clock: Clock, clinician: User
) -> None:
    client = browser_of(clinician)
    for _ in range(71):
        clock.move(minutes=10)
        client.post(reverse("session_left"))
    clock.move(minutes=9)
    assert client.post(reverse("session_left")).json() == {"left": 60, "last": True, "user": str(clinician.pk)}


def test_a_sign_out_clears_the_cache_and_nothing_that_others_keep_in_the_browser(clinician: User) -> None:
    client = browser_of(clinician)
    assert client.post(reverse("sign_out"))["Clear-Site-Data"] == '"cache"'
    assert not is_in(client)


def test_who_signs_in_after_a_sign_out_or_a_filter_of_an_ended_session_comes_to_a_page(clinician: User) -> None:
    client = browser_of(clinician)
    assert client.get(reverse("sign_out"))["Location"] == reverse("worklist")
    assert is_in(client)
    for page in ("history", "worklist"):
        assert client.get(reverse("find", args=[page]))["Location"] == reverse(page)
    assert client.get(reverse("find", args=["other"])).status_code == 404


def test_a_session_is_written_once_a_minute_at_most(
    clock: Clock, clinician: User, django_assert_num_queries: Any
) -> None:
    client = browser_of(clinician)
    client.get(reverse("help"))
    writes = []
    for _ in range(6):
        clock.move(minutes=1 / 3)
        before = Session.objects.get().session_data
        client.get(reverse("help"))
        writes.append(Session.objects.get().session_data != before)
    print(f"writes of a session in 2 minutes with a page every 20 seconds: {sum(writes)}")
    assert sum(writes) == 2


def test_a_session_without_its_times_is_no_session(clinician: User) -> None:
    client = browser_of(clinician)
    session = client.session
    del session[timeouts.BEGAN]
    session.save()
    assert not is_in(client)


def test_every_page_carries_what_warns_of_the_end(browser: Client) -> None:
    page = text(browser.get(reverse("help")))
    assert "diagnoses/idle.js" in page
    assert 'data-left="900"' in page
    assert "idle.js" not in text(Client().get(reverse("sign_in")))


def test_switching_an_account_off_ends_all_of_it_and_switching_it_on_revives_nothing(clinician: User) -> None:
    give_app(clinician)
    half_in, token = visitor(), create_token(actor=user_actor(clinician), user=clinician, name="a script").token
    post_password(half_in, "clinician")
    plain = make_user("plain", Role.CLINICIAN)
    sessions = [browser_of(plain), visitor()]
    post_password(sessions[1], "plain")
    for user in (clinician, plain):
        user.is_active = False
        user.save()
    assert not any(map(is_in, sessions))
    token.refresh_from_db()
    assert token.revoked_at
    for user in (clinician, plain):
        user.is_active = True
        user.save()
    assert not any(map(is_in, sessions))
    assert half_in.get(reverse("mfa_authenticate"))["Location"] == reverse("sign_in")
    assert [event.detail for event in events(AuditAction.ACCOUNT_DEACTIVATED)] == [{"sessions": 1}, {"sessions": 2}]
    assert len(events(AuditAction.ACCOUNT_REACTIVATED)) == 2


def test_a_change_of_password_ends_the_other_sessions_and_not_this_one(clinician: User) -> None:
    here, elsewhere = visitor(), browser_of(clinician)
    post_password(here, "clinician")
    form = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    url = reverse("account_change_password")
    assert here.post(url, form)["Location"].startswith(reverse("account_reauthenticate"))
    assert NEW not in str([row.get_decoded() for row in Session.objects.all()])
    clinician.refresh_from_db()
    assert clinician.check_password(PASSWORD)
    confirm(here)
    assert here.post(url, form)["Location"] == reverse("security")
    clinician.refresh_from_db()
    assert clinician.check_password(NEW)
    assert is_in(here)
    assert not is_in(elsewhere)
    assert [(event.actor_name, event.detail) for event in events(AuditAction.PASSWORD_CHANGED)] == [
        ("clinician", {"sessions": 1})
    ]
    assert NEW not in str(list(AuditEvent.objects.values()))


def test_an_account_switched_off_during_a_change_of_password_stays_off(
    clinician: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = visitor()
    post_password(client, "clinician")
    confirm(client)
    monkeypatch.setattr(User, "set_password", switched_off_meanwhile)
    form = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert client.post(reverse("account_change_password"), form)["Location"] == reverse("sign_in")
    clinician.refresh_from_db()
    assert not clinician.is_active
    assert clinician.check_password(PASSWORD)
    assert not events(AuditAction.PASSWORD_CHANGED) + events(AuditAction.ACCOUNT_REACTIVATED)


def test_what_was_read_of_an_account_before_it_was_switched_off_is_not_on_record_as_its_return(clinician: User) -> None:
    User.objects.update(is_active=False)
    clinician.save(update_fields=["password"])
    assert not events(AuditAction.ACCOUNT_REACTIVATED)


def test_the_current_password_is_asked_for(clinician: User) -> None:
    client = visitor()
    post_password(client, "clinician")
    confirm(client)
    form = {"oldpassword": "wrong", "password1": NEW, "password2": NEW}
    assert "This is not your current password" in text(client.post(reverse("account_change_password"), form))
    clinician.refresh_from_db()
    assert clinician.check_password(PASSWORD)


def test_a_session_that_is_over_by_its_time_is_neither_listed_nor_counted(clock: Clock, clinician: User) -> None:
    over, here = visitor("198.51.100.9"), visitor()
    post_password(over, "clinician")
    clock.move(minutes=14)
    post_password(here, "clinician")
    clock.move(minutes=2)
    confirm(here)
    assert here.get(reverse("security")).context["sessions"] == 1
    assert [row.ip for row in here.get(reverse("usersessions_list")).context["sessions"]] == [HERE]


def test_roles_rights_and_flags_are_on_record_whoever_changes_them(clinician: User) -> None:
    known = len(events(AuditAction.PERMISSIONS_CHANGED))
    right = Permission.objects.get(codename="delete_user")
    clinician.groups.add(Group.objects.get(name=Role.AUDITOR))
    clinician.groups.remove(Group.objects.get(name=Role.AUDITOR))
    clinician.user_permissions.add(right)
    clinician.groups.clear()
    clinician.is_staff = True
    clinician.save()
    details = [event.detail for event in events(AuditAction.PERMISSIONS_CHANGED)[known:]]
    assert details == [
        {"how": "add", "of": ["auditor"]},
        {"how": "remove", "of": ["auditor"]},
        {"how": "add", "of": [str(right)]},
        {"how": "clear", "of": []},
        {"is_staff": True},
    ]


@pytest.mark.parametrize("how", ["switched off", "ended"])
def test_an_open_stream_stops_at_the_next_look(
    clinician: User, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(study_views, "close_old_connections", lambda: None)
    study = make_study(clinician, model_version, JobStatus.QUEUED)
    client = browser_of(clinician)
    key = client.session.session_key
    assert study_views._look(clinician, study.pk, key) is not None
    if how == "ended":
        client.post(reverse("sign_out"))
    else:
        User.objects.update(is_active=False)
    assert study_views._look(clinician, study.pk, key) is None

    async def parts() -> list[str]:
        return [part async for part in study_views._changes(clinician, study.pk, key)]

    monkeypatch.setattr(study_views, "_look", lambda *_: None)
    assert async_to_sync(parts)() == ["retry: 2000\n\n"]


@pytest.mark.parametrize("how", ["switched off", "ended", "idle"])
def test_a_session_that_has_ended_does_not_stand(clinician: User, clock: Clock, how: str) -> None:
    client = browser_of(clinician)
    key = client.session.session_key
    assert timeouts.session_stands(key)
    if how == "ended":
        client.post(reverse("sign_out"))
    elif how == "idle":
        clock.move(minutes=15)
    else:
        User.objects.update(is_active=False)
    assert not timeouts.session_stands(key)
    assert not timeouts.session_stands(None)


def test_a_half_made_sign_in_dies_with_the_password(clinician: User) -> None:
    give_app(clinician)
    client = visitor()
    post_password(client, "clinician")
    clinician.set_password(NEW)
    clinician.save()
    post_code(client, "123456")
    assert client.get(reverse("mfa_authenticate"))["Location"] == reverse("sign_in")


def test_sessions_that_ended_by_themselves_are_cleared_away(clinician: User, outsider: User) -> None:
    clients = visitor(), visitor()
    for client, name in zip(clients, ("clinician", "outsider"), strict=True):
        post_password(client, name)
    Session.objects.filter(session_key=clients[0].session.session_key).update(expire_date=timezone.now())
    assert forget_ended_sessions() == 1
    assert [session.user for session in UserSession.objects.all()] == [outsider]
    assert is_in(clients[1])
