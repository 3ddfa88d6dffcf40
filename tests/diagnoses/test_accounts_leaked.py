"""Passwords are held against a list of leaked ones, where the site has one."""

import random
from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.checks import CheckMessage, run_checks
from django.core.exceptions import ValidationError
from django.urls import reverse

from diagnoses.accounts.leaked import ListError, check_list, is_leaked
from diagnoses.audit import user_actor
from diagnoses.services.inviting import invite
from tests.conftest import PASSWORD
from tests.diagnoses.signing_in import confirm, post_password, text, visitor

NAMED = [f"leaked password number {number}" for number in range(500)]
ANOTHER = "never leaked by anybody"


def digest(password: str) -> str:
    return sha1(password.encode()).hexdigest().upper()


def lines(passwords: Sequence[str]) -> list[str]:
    """As Pwned Passwords has them; the counts make lines of many lengths."""
    chance = random.Random(3)
    return sorted(f"{digest(password)}:{10 ** chance.randint(0, 7)}" for password in passwords)


def found_at_a_start() -> list[CheckMessage]:
    """What the site's checks say of the list."""
    return [found for found in run_checks() if found.id == "diagnoses.E006"]


@pytest.fixture(params=["\n", "\r\n"], ids=["LF", "CRLF"])
def listed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "pwned.txt"
    path.write_bytes(request.param.join([*lines(NAMED), ""]).encode())
    return path


@pytest.fixture
def path(tmp_path: Path, settings: LazySettings) -> Path:
    """The site's list, of all those above and the cast's own password."""
    path = tmp_path / "pwned.txt"
    path.write_text("\n".join([*lines([*NAMED, PASSWORD]), ""]))
    settings.CXR_LEAKED_PASSWORDS = path
    return path


def test_each_password_of_the_list_is_found_and_no_other(listed: Path) -> None:
    check_list(listed)
    assert all(is_leaked(password, listed) for password in NAMED)
    assert not any(is_leaked(f"{password}!", listed) for password in NAMED)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_a_list_of_one_line_without_a_count_will_do(tmp_path: Path, case: type[str], ending: str) -> None:
    path = tmp_path / "one.txt"
    path.write_bytes(case(digest("the one and only")).encode() + ending.encode())
    check_list(path)
    assert is_leaked("the one and only", path)
    assert not is_leaked(ANOTHER, path)


def test_passwords_are_compared_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text(f"{sha1('mật khẩu đã lộ'.encode()).hexdigest()}:5\n")
    assert is_leaked("mật khẩu đã lộ", path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "it is empty"),
        ("\n".join(reversed(lines(NAMED))), "not sorted"),
        ("\n".join(sorted(NAMED)), "is not a SHA-1"),
        ("\n".join(sorted(f"{digest(name)[:32]}:1" for name in NAMED)), "is not a SHA-1"),
        ("0" * 100_000, "is not a SHA-1"),
    ],
    ids=["empty", "another order", "words", "another hash", "no lines"],
)
def test_a_file_of_another_kind_is_refused_with_its_reason(
    tmp_path: Path, settings: LazySettings, content: str, words: str
) -> None:
    settings.CXR_LEAKED_PASSWORDS = tmp_path / "other.txt"
    settings.CXR_LEAKED_PASSWORDS.write_text(content)
    with pytest.raises(ListError, match=words):
        check_list(settings.CXR_LEAKED_PASSWORDS)
    [found] = found_at_a_start()
    assert words in found.msg


def test_a_site_starts_with_a_good_list_and_with_none(path: Path, settings: LazySettings) -> None:
    assert found_at_a_start() == []
    settings.CXR_LEAKED_PASSWORDS = None
    assert found_at_a_start() == []


@pytest.mark.usefixtures("path")
def test_who_has_a_password_that_leaked_signs_in_and_takes_another_that_did_not(clinician: User) -> None:
    browser = visitor()
    post_password(browser, clinician.username)
    confirm(browser)
    for new, is_refused in ((NAMED[7], True), (ANOTHER, False)):
        form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
        page = browser.post(reverse("account_change_password"), form, follow=True)
        assert ("stands in a list of leaked ones" in text(page)) is is_refused
        clinician.refresh_from_db()
        assert clinician.check_password(new) is not is_refused


@pytest.mark.usefixtures("path")
def test_an_invitation_takes_none_that_leaked(clinician: User) -> None:
    path = invite(user=clinician, actor=user_actor(clinician))
    for new, is_taken in ((NAMED[7], False), (ANOTHER, True)):
        visitor().post(path, {"new_password1": new, "new_password2": new})
        clinician.refresh_from_db()
        assert clinician.check_password(new) is is_taken


def test_while_the_list_is_away_no_password_is_taken_and_it_is_said_why(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.unlink()
    with pytest.raises(ValidationError, match="cannot be read") as refused:
        validate_password(ANOTHER)
    assert refused.value.error_list[0].code == "password_not_checked"
    assert "The list of leaked passwords cannot be read" in caplog.text
    assert ANOTHER not in caplog.text


def test_without_a_list_nothing_is_asked(settings: LazySettings) -> None:
    assert settings.CXR_LEAKED_PASSWORDS is None
    validate_password(NAMED[0])
