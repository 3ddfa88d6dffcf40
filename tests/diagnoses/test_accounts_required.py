"""Where a role needs a second factor, nothing opens to who has none but the way to one."""

import re

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import AnonymousUser, User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from diagnoses.accounts.middleware import OPEN_WITHOUT_FACTOR
from diagnoses.roles import Role
from diagnoses.selectors.second_factors import lacks_second_factor
from tests.conftest import make_user
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.signing_in import code_at, confirm, give_app, post_password, text, visitor

OPEN_TO_EVERYBODY = {
    "account_login",
    "admin:login",
    "admin_sign_in",
    "cancel_sign_in",
    "colour_bar",
    "invitation",
    "mfa_authenticate",
    "sign_in",
}
"""These show nothing of anybody: the anonymous have them, too."""


@pytest.fixture(autouse=True)
def _required(settings: LazySettings) -> None:
    settings.CXR_MFA_ROLES = frozenset(Role)


def every_address() -> dict[str, str]:
    """Each address of the resolver by its name, with something in place of what it takes."""
    found: dict[str, str] = {}

    def walk(patterns: list[URLPattern | URLResolver], prefix: str, space: str) -> None:
        for pattern in patterns:
            path = prefix + filled(pattern)
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns, path, f"{pattern.namespace}:" if pattern.namespace else space)
            else:
                found[f"{space}{pattern.name or path}"] = path

    walk(get_resolver().url_patterns, "/", "")
    return found


def filled(pattern: URLPattern | URLResolver) -> str:
    route = str(pattern.pattern)
    route = re.sub(r"<uuid:\w+>", "00000000-0000-0000-0000-000000000001", route)
    route = re.sub(r"<int:\w+>", "1", route)
    route = re.sub(r"<(str|path):\w+>", "1", route)
    route = re.sub(r"\(\?P<\w+>[^)]*\)", "auth", route)
    return route.strip("^$").replace("(.*)", "x").replace("\\.", ".").replace("\\Z", "")


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.ADMINISTRATOR, "superuser"])
def test_no_address_of_the_resolver_opens_to_who_lacks_a_factor(db: None, role: str, method: str) -> None:
    user = make_user("lacking", Role(role) if role != "superuser" else Role.AUDITOR, is_staff=role != Role.CLINICIAN)
    if role == "superuser":
        user.groups.clear()
        User.objects.update(is_superuser=True)
    addresses = every_address()
    closed = 0
    for name, address in addresses.items():
        if name in OPEN_WITHOUT_FACTOR or name in OPEN_TO_EVERYBODY:
            continue
        answer = getattr(browser_of(user), method)(address)
        if address.startswith("/api/"):
            assert answer.status_code == 401, name
        else:
            assert (answer.status_code, answer.get("Location")) == (302, reverse("security")), (name, address)
        closed += 1
    print(f"{closed} addresses closed to {role} without a factor, of {len(addresses)}, {method}")
    assert closed > 80
    assert {"worklist", "admin:index", "admin:auth_user_changelist", "account_change_password"} <= addresses.keys()


def test_the_addresses_for_setting_up_do_open(clinician: User) -> None:
    client = visitor()
    post_password(client, "clinician")
    assert client.get(reverse("worklist"))["Location"] == reverse("security")
    page = text(client.get(reverse("security")))
    for name in ("notices", "history", "preferences", "help"):
        assert f'href="{reverse(name)}"' not in page
    assert reverse("sign_out") in page
    confirm(client)
    secret = client.get(reverse("mfa_activate_totp")).context["form"].secret
    client.post(reverse("mfa_activate_totp"), {"code": code_at(0, secret)})
    worklist = client.get(reverse("worklist"))
    assert f'href="{reverse("history")}"' in text(worklist)


def test_who_has_none_may_sign_out_and_choose_a_language(clinician: User) -> None:
    client = browser_of(clinician)
    assert client.post(reverse("set_language"), {"language": "vi"})["Location"] == reverse("worklist")
    assert client.post(reverse("sign_out"))["Location"] == reverse("sign_in")


def test_the_administration_has_no_sign_in_of_its_own(administrator: User) -> None:
    client = visitor()
    data = {"username": "administrator", "password": "correct horse battery", "next": "/admin/"}
    answer = client.post(reverse("admin:login"), data)
    assert answer["Location"].startswith(reverse("sign_in"))
    assert "_auth_user_id" not in client.session
    assert client.get(reverse("admin:index"))["Location"].startswith(reverse("admin:login"))
    assert client.get(f"{reverse('admin:login')}?next=/admin/")["Location"] == f"{reverse('sign_in')}?next=%2Fadmin%2F"


def test_the_administration_changes_no_password(settings: LazySettings, administrator: User) -> None:
    settings.CXR_MFA_ROLES = frozenset()
    client = browser_of(administrator)
    form = {"old_password": "correct horse battery", "new_password1": "x" * 20, "new_password2": "x" * 20}
    assert client.post(reverse("admin:password_change"), form)["Location"] == reverse("account_change_password")
    administrator.refresh_from_db()
    assert administrator.check_password("correct horse battery")


@pytest.mark.parametrize("role", Role)
def test_a_role_that_is_not_named_needs_none(settings: LazySettings, db: None, role: Role) -> None:
    settings.CXR_MFA_ROLES = frozenset(Role) - {role}
    assert not lacks_second_factor(make_user("somebody", role))


def test_lacking_follows_roles_and_factors(clinician: User, settings: LazySettings) -> None:
    assert lacks_second_factor(clinician)
    give_app(clinician)
    assert not lacks_second_factor(clinician)
    assert not lacks_second_factor(AnonymousUser())
    plain = User.objects.create_user("of-no-role")
    assert not lacks_second_factor(plain)
    plain.is_superuser = True
    assert lacks_second_factor(plain)
    settings.CXR_MFA_ROLES = frozenset({"clinician"})
    assert not lacks_second_factor(plain)


def test_a_role_that_is_given_to_somebody_signed_in_closes_at_once(settings: LazySettings, auditor: User) -> None:
    settings.CXR_MFA_ROLES = frozenset({Role.ADMINISTRATOR.value})
    client: Client = browser_of(auditor)
    assert client.get(reverse("worklist")).status_code == 200
    make_user("other", Role.ADMINISTRATOR).groups.get().user_set.add(auditor)
    assert client.get(reverse("worklist"))["Location"] == reverse("security")
