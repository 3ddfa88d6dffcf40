"""Two administrators at one account: the second one's form undoes nothing of what the first one did."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from diagnoses import accounts_admin
from diagnoses.models import AuditEvent, Department, Profile
from diagnoses.models.audit import AuditAction
from diagnoses.roles import Role
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.panel import change_user, role_id

STALE = "Somebody has changed this account since you opened it."


@pytest.fixture
def panel(administrator: User) -> Client:
    return browser_of(administrator)


def open_form(panel: Client, user: User) -> dict[str, str]:
    """What the form hides, as it is when the page is opened."""
    page = panel.get(reverse("admin:auth_user_change", args=[user.pk])).context
    return {"as_it_was": page["adminform"].form["as_it_was"].value()}


def leave_ward(user: User) -> None:
    Profile.objects.update_or_create(user=user, defaults={"department": Department.objects.create(name="Ward B")})


CHANGES: dict[str, Callable[[User], Any]] = {
    "switched off": lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
    "another name": lambda user: User.objects.filter(pk=user.pk).update(username="renamed"),
    "no role": lambda user: user.groups.clear(),
    "another role": lambda user: user.groups.set([Group.objects.get(name=Role.RADIOLOGIST)]),
    "another department": leave_ward,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_was_filled_in_before_another_changed_the_account_is_refused_with_words(
    panel: Client, clinician: User, change: Callable[[User], Any]
) -> None:
    opened = open_form(panel, clinician)
    change(clinician)
    before = accounts_admin.state_of(User.objects.get(pk=clinician.pk))
    stale = {"username": "clinician", "first_name": "An", "is_active": "on", "groups": [role_id(Role.CLINICIAN)]}
    response = change_user(panel, clinician, **stale, **opened)
    assert response.status_code == 200
    assert STALE in response.content.decode()
    assert accounts_admin.state_of(User.objects.get(pk=clinician.pk)) == before
    assert not AuditEvent.objects.filter(action=AuditAction.ROW_CHANGED).exists()


def test_a_form_without_its_hidden_part_is_refused(panel: Client, clinician: User) -> None:
    assert STALE in change_user(panel, clinician, first_name="An", as_it_was=None).content.decode()


def test_a_sign_in_meanwhile_hinders_nothing(panel: Client, clinician: User) -> None:
    opened = open_form(panel, clinician)
    browser_of(clinician)
    assert change_user(panel, clinician, first_name="An", **opened).status_code == 302
    clinician.refresh_from_db()
    assert clinician.first_name == "An"
    assert clinician.last_login is not None


def test_a_password_that_is_chosen_while_the_form_is_saved_stays(
    panel: Client, clinician: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, state_of = open_form(panel, clinician), accounts_admin.state_of
    chosen: list[str] = []

    def chosen_meanwhile(account: User) -> str:
        chosen.append(f"password {len(chosen)}")
        User.objects.filter(pk=account.pk).update(password=chosen[-1])
        return state_of(account)

    monkeypatch.setattr(accounts_admin, "state_of", chosen_meanwhile)
    assert change_user(panel, clinician, first_name="An", **opened).status_code == 302
    clinician.refresh_from_db()
    assert (clinician.first_name, clinician.password) == ("An", chosen[-1])


def test_the_account_is_locked_before_it_is_compared_and_written(panel: Client, clinician: User) -> None:
    opened = open_form(panel, clinician)
    with CaptureQueriesContext(connection) as asked:
        change_user(panel, clinician, first_name="An", **opened)
    said = [query["sql"] for query in asked]
    [locked] = [at for at, sql in enumerate(said) if 'FROM "auth_user"' in sql and sql.endswith("FOR UPDATE")]
    [written] = [at for at, sql in enumerate(said) if sql.startswith('UPDATE "auth_user"')]
    assert locked < written


def test_an_account_that_may_only_be_looked_at_is_shown(panel: Client, db: None) -> None:
    superuser = User.objects.create_superuser("superuser")
    page = panel.get(reverse("admin:auth_user_change", args=[superuser.pk])).content.decode()
    assert "superuser" in page
    assert "as_it_was" not in page
