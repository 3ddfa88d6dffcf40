"""A user's list of sessions: all that there are, and an end for each but this one."""

from allauth.usersessions.models import UserSession
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.urls import reverse

from diagnoses.models import AuditEvent
from diagnoses.models.audit import AuditAction
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.signing_in import HERE, confirm, is_in, post_password, text, visitor


def endings() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=AuditAction.SESSION_ENDED).order_by("id"))


def test_a_user_sees_their_sessions_and_ends_the_others(clinician: User, outsider: User) -> None:
    here, elsewhere, anothers = visitor(), visitor("198.51.100.9"), visitor()
    for client, name in ((here, "clinician"), (elsewhere, "clinician"), (anothers, "outsider")):
        post_password(client, name)
    for ask in (here.get, here.post):
        assert ask(reverse("usersessions_list"))["Location"].startswith(reverse("account_reauthenticate"))
    assert is_in(elsewhere)
    confirm(here)
    page = text(here.get(reverse("usersessions_list")))
    assert page.count("list-group-item") == 2
    assert "198.51.100.9" in page
    assert "Nothing was done yet" in page
    assert "Nothing was done yet" not in text(here.get(reverse("usersessions_list")))
    here.post(reverse("usersessions_list"))
    assert (is_in(here), is_in(elsewhere), is_in(anothers)) == (True, False, True)
    [event] = endings()
    assert (event.actor_name, event.address) == ("clinician", HERE)
    assert event.detail == {"reason": "user", "begun_from": "198.51.100.9"}


def test_a_user_ends_one_session_and_nobody_elses(clinician: User, outsider: User) -> None:
    here, elsewhere, third, anothers = visitor(), visitor("198.51.100.9"), visitor("198.51.100.10"), visitor()
    for client, name in ((here, "clinician"), (elsewhere, "clinician"), (third, "clinician"), (anothers, "outsider")):
        post_password(client, name)
    confirm(here)
    rows = {row.ip: row.pk for row in UserSession.objects.filter(user=clinician)}
    strange = UserSession.objects.get(user=outsider).pk
    for chosen in (rows["198.51.100.9"], strange, rows[HERE], "no number", 10**30):
        answer = here.post(reverse("usersessions_list"), {"session": chosen})
        assert (answer.status_code, answer["Location"]) == (302, reverse("usersessions_list"))
    assert [is_in(client) for client in (here, elsewhere, third, anothers)] == [True, False, True, True]
    [event] = endings()
    assert (event.address, event.detail["begun_from"]) == (HERE, "198.51.100.9")


def test_a_session_that_is_in_no_list_ends_with_the_others_on_record(clinician: User) -> None:
    here, unlisted = visitor(), browser_of(clinician)
    post_password(here, "clinician")
    UserSession.objects.filter(session_key=unlisted.session.session_key).delete()
    confirm(here)
    here.post(reverse("usersessions_list"))
    assert (is_in(here), is_in(unlisted)) == (True, False)
    assert [event.detail for event in endings()] == [{"reason": "user", "sessions": 1}]


def test_a_change_of_the_sites_key_loses_no_session_while_the_old_one_counts(
    clinician: User, settings: LazySettings
) -> None:
    here, elsewhere = visitor(), visitor("198.51.100.9")
    for client in (here, elsewhere):
        post_password(client, "clinician")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key of the same site", [settings.SECRET_KEY]
    before = here.session.session_key
    assert here.get(reverse("security")).context["sessions"] == 2
    assert here.session.session_key != before
    confirm(here)
    assert len(here.get(reverse("usersessions_list")).context["sessions"]) == 2
    post_password(visitor(), "clinician")
    assert is_in(elsewhere)
    assert is_in(here)
    here.post(reverse("usersessions_list"))
    assert (is_in(here), is_in(elsewhere)) == (True, False)
