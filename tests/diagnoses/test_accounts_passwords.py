"""Passwords: long, of any kind, and kept with Argon2id."""

import contextlib
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.urls import reverse

from cxrsite import settings as site_settings
from diagnoses.accounts import hashers
from diagnoses.accounts.weak_words import DisguisedWordValidator
from diagnoses.audit import Actor
from diagnoses.models import AuditEvent
from diagnoses.models.audit import AuditAction
from diagnoses.services.inviting import invite
from tests.conftest import PASSWORD
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.signing_in import confirm, is_in, post_password, text, visitor

NOBODY = Actor(None, "")


@pytest.fixture(autouse=True)
def _real_hashers(settings: LazySettings) -> None:
    settings.PASSWORD_HASHERS = site_settings.PASSWORD_HASHERS


def test_a_new_password_is_kept_with_argon2id(db: None) -> None:
    user = User.objects.create_user("newcomer", password=PASSWORD)
    assert user.password.startswith("argon2$argon2id$")


@pytest.mark.parametrize("work", ["encode", "verify"])
def test_no_more_than_a_few_are_hashed_at_once_and_the_rest_wait(work: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one_too_many, done = threading.Barrier(hashers.AT_ONCE + 1), []

    def hashed(*_: Any) -> str:
        with contextlib.suppress(threading.BrokenBarrierError):
            one_too_many.wait(timeout=0.5)
            done.append("too many")
        done.append("hashed")
        return ""

    monkeypatch.setattr(Argon2PasswordHasher, work, hashed)
    act = getattr(hashers.BoundedArgon2Hasher(), work)
    with ThreadPoolExecutor(3 * hashers.AT_ONCE) as threads:
        for _ in range(3 * hashers.AT_ONCE):
            threads.submit(act, PASSWORD, "")
    assert done == ["hashed"] * 3 * hashers.AT_ONCE


def test_a_hash_of_djangos_own_hasher_is_taken_and_not_made_anew(db: None) -> None:
    hashed = Argon2PasswordHasher().encode(PASSWORD, "a salt of enough entropy")
    user = User.objects.create(username="veteran", password=hashed)
    assert user.check_password(PASSWORD)
    assert user.password == hashed


def test_an_old_hash_is_made_anew_at_sign_in_and_no_session_ends_for_it(db: None, settings: LazySettings) -> None:
    settings.PASSWORD_HASHERS = site_settings.PASSWORD_HASHERS[1:]
    user = User.objects.create_user("veteran", password=PASSWORD)
    assert user.password.startswith("pbkdf2_sha256$")
    settings.PASSWORD_HASHERS = site_settings.PASSWORD_HASHERS
    client = visitor()
    post_password(client, "veteran")
    user.refresh_from_db()
    assert user.password.startswith("argon2$argon2id$")
    assert is_in(client)
    assert not AuditEvent.objects.filter(action=AuditAction.PASSWORD_CHANGED).exists()


@pytest.mark.parametrize(
    ("password", "is_staff", "is_good"),
    [
        ("abcdefghijk", False, False),
        ("xkqjzvwpmbty", False, True),
        ("xkqjzvwpmbty", True, False),
        ("xkqjzvwpmbtyhg", True, False),
        ("xkqjzvwpmbtyhgl", True, True),
        ("839201746538", False, True),
        ("\u1ee9ng d\u1ee5ng c\u1ee7a t\u00f4i", False, True),
        ("password1234", False, False),
        ("x q" * 50, False, True),
        ("x q" * 500, True, True),
    ],
)
def test_length_counts_and_composition_does_not(password: str, is_staff: bool, is_good: bool) -> None:
    user = User(username="somebody", is_staff=is_staff)
    try:
        validate_password(password, user)
    except ValidationError:
        assert not is_good
    else:
        assert is_good


@pytest.mark.parametrize(
    "password",
    [
        "Password2026!",
        "P@ssw0rd!!2026",
        "...dragon987654",
        "dragondragon",
        "Dragon1Dragon2Dragon3",
        "123456123456",
        "Radiology2026",
        "X-ray/X-ray/X-ray",
        "ChestXrayReader",
        "Benh Vien 2026!!",
        "B\u1ec7nh-Vi\u1ec7n-2026",
        "hospital-dragon-1",
        "reader.clinic.test",
        "mynamesake1234",
        "Quiteunusual99",
        "unheardof@12345",
    ],
)
def test_a_word_that_anybody_would_try_is_refused_in_disguise_too(password: str, settings: LazySettings) -> None:
    settings.ALLOWED_HOSTS = ["reader.clinic.test"]
    user = User(username="my.namesake", first_name="Quite", last_name="Unusual", email="unheard.of@clinic.test")
    with pytest.raises(ValidationError) as refused:
        validate_password(password, user)
    assert {"password_disguised", "password_too_common"} & {error.code for error in refused.value.error_list}


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "the dragon reads slowly",
        "radiology is for early birds",
        "password of nobody here",
        "ab" * 8,
        "839201746538",
        "dr4gon-kestrel-teapot",
        "\U0001f4a1" * 12,
    ],
)
def test_words_that_have_nothing_to_do_with_each_other_are_taken(password: str) -> None:
    validate_password(password, User(username="somebody"))


@pytest.mark.parametrize(
    ("first", "repeated", "last"),
    [("", "ray", "x"), ("", "a1", "b"), ("", "radiology", "x"), ("a", "1", "a"), ("1", "a", "1"), ("", "1", "")],
)
def test_a_password_of_any_length_is_looked_at_quickly(first: str, repeated: str, last: str) -> None:
    """Four times as much of it takes about four times as long, where each against each would take sixteen."""

    def spent(count: int) -> float:
        password, times = f"{first}{repeated * count}{last}", []
        for _ in range(3):
            began = time.thread_time()
            DisguisedWordValidator().validate(password, User(username="somebody"))
            times.append(time.thread_time() - began)
        return min(times)

    spent(10)  # reads the list of common ones
    assert spent(20_000) < 8 * max(spent(5_000), 0.001)


@pytest.mark.parametrize("length", [4096, 4097])
def test_a_new_password_has_an_end_before_anything_looks_at_it(
    clinician: User, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By either way to choose one."""
    looked_at: list[str] = []
    monkeypatch.setattr(DisguisedWordValidator, "validate", lambda self, password, user: looked_at.append(password))
    is_taken = length <= 4096
    first, second = (letter * length for letter in "xy")
    visitor().post(invite(user=clinician, actor=NOBODY), {"new_password1": first, "new_password2": first})
    current, client = first if is_taken else PASSWORD, visitor()
    post_password(client, "clinician", current)
    confirm(client, current)
    form = {"oldpassword": current, "password1": second, "password2": second}
    client.post(reverse("account_change_password"), form)
    clinician.refresh_from_db()
    assert clinician.check_password(second if is_taken else PASSWORD)
    assert looked_at == ([first, second] if is_taken else [])


def test_a_password_of_many_characters_signs_in_with_all_of_them(db: None) -> None:
    long = "every one of these characters counts, to the last! " * 6
    User.objects.create_user("newcomer", password=long)
    client = visitor()
    post_password(client, "newcomer", long[:-2])
    assert not is_in(client)
    post_password(client, "newcomer", long)
    assert is_in(client)


def test_a_session_of_a_switched_off_account_stays_shut_to_the_right_password(clinician: User) -> None:
    clinician.set_password(PASSWORD)
    clinician.is_active = False
    clinician.save()
    client = browser_of(clinician)
    assert "correct username and password" in post_password(client, "clinician").content.decode()
    assert not is_in(client)


def test_a_known_and_an_unknown_name_take_the_same_work(db: None) -> None:
    User.objects.create_user("known", password=PASSWORD)
    User.objects.create_user("switched-off", password=PASSWORD, is_active=False)
    spent: dict[str, list[float]] = {"known": [], "switched-off": [], "unknown": []}
    for turn in range(7):
        for name, seconds in spent.items():
            client = visitor(f"192.0.2.{turn}")
            began = time.perf_counter()
            post_password(client, name, "not the password")
            seconds.append(time.perf_counter() - began)
    middle = {name: statistics.median(seconds) * 1000 for name, seconds in spent.items()}
    print("milliseconds of a failed sign-in: " + ", ".join(f"{name} {value:.0f}" for name, value in middle.items()))
    assert max(middle.values()) < 2 * min(middle.values())


@pytest.mark.parametrize("name", ["", "x" * 151, "a\x00b"])
def test_a_name_that_cannot_be_one_is_told(db: None, name: str) -> None:
    assert 'role="alert"' in post_password(visitor(), name).content.decode()


@pytest.mark.parametrize("again", ["five words nobody else joint", ""])
def test_two_new_passwords_that_differ_are_told_in_our_own_words(clinician: User, again: str) -> None:
    client = visitor()
    post_password(client, "clinician")
    confirm(client)
    form = {"oldpassword": PASSWORD, "password1": "five words nobody else joins", "password2": again}
    page = text(client.post(reverse("account_change_password"), form))
    assert ("The two new passwords are not the same" in page) is bool(again)
    assert "You must type the same password" not in page
    clinician.refresh_from_db()
    assert clinician.check_password(PASSWORD)
