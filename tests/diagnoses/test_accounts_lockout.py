"""Who guesses waits, ever longer; who is guessed at does not."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from diagnoses.models import AuditEvent, FailedAttempts
from diagnoses.models.audit import AuditAction
from diagnoses.services import lockout
from diagnoses.services.lockout import LockedError, begin_attempt
from tests.conftest import PASSWORD
from tests.diagnoses.signing_in import (
    ELSEWHERE,
    HERE,
    NEW,
    code_at,
    confirm,
    give_app,
    is_in,
    post_code,
    post_password,
    text,
    visitor,
    wrong_code,
)

LOCKED = "Too many attempts failed."


class Clock:
    """Stands, until it is moved."""

    def __init__(self) -> None:
        self.at = timezone.now()

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lockout, "clock", clock)
    return clock


def wait_of(attempt: Callable[[], object]) -> int:
    try:
        attempt()
    except LockedError as error:
        return error.seconds
    return 0


def test_from_the_fifth_failure_one_waits_a_minute_doubling_to_an_hour(clock: Clock, db: None) -> None:
    waits = []
    for failures in range(1, 14):
        begin_attempt(name="clinician", address=HERE)
        row = FailedAttempts.objects.get(key=lockout._key("pair", "clinician", HERE))
        assert row.failures == failures
        waits.append(round((row.locked_until - clock.at).total_seconds()) if row.locked_until else 0)
        clock.move(seconds=waits[-1])
    print(f"seconds to wait after each failure in a row: {', '.join(map(str, waits))}")
    assert waits == [0, 0, 0, 0, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_locked_attempt_is_not_counted(clock: Clock, db: None) -> None:
    for _ in range(5):
        begin_attempt(name="clinician", address=HERE)
    for _ in range(50):
        assert wait_of(lambda: begin_attempt(name="clinician", address=HERE)) == 60
    assert sorted(FailedAttempts.objects.values_list("failures", flat=True)) == [5, 5]


def test_a_stranger_elsewhere_locks_nobody_out(clinician: User) -> None:
    for _ in range(8):
        post_password(visitor(ELSEWHERE), "clinician", "wrong")
    assert LOCKED in text(post_password(visitor(ELSEWHERE), "clinician"))
    client = visitor(HERE)
    post_password(client, "clinician")
    assert is_in(client)


def test_the_right_password_does_not_help_while_it_is_locked_and_does_afterwards(clinician: User, clock: Clock) -> None:
    client = visitor()
    for _ in range(5):
        post_password(client, "clinician", "wrong")
    assert LOCKED in text(post_password(client, "clinician"))
    assert not is_in(client)
    clock.move(minutes=1, seconds=1)
    post_password(client, "clinician")
    assert is_in(client)
    assert not FailedAttempts.objects.filter(failures__gt=4).exclude(locked_until=None).exists()


def test_a_known_and_an_unknown_name_are_answered_alike(clinician: User) -> None:
    def answers(name: str, address: str) -> list[str]:
        client = visitor(address)
        pages = [text(post_password(client, name, "wrong")) for _ in range(7)]
        return [page[page.index('role="alert"') : page.index('for="id_username"')] for page in pages if "alert" in page]

    known, unknown = answers("clinician", HERE), answers("nobody-at-all", HERE)
    assert known == unknown
    assert len(known) == 7
    assert LOCKED in known[-1]
    assert "Wait 1 minute" in known[-1]


def test_a_name_in_other_letters_is_the_same_name(clock: Clock, db: None) -> None:
    for name in ("clinician", "Clinician", "CLINICIAN", " clinician", "clinicia\uff4e"):
        begin_attempt(name=name, address=HERE)
    assert wait_of(lambda: begin_attempt(name="clinician", address=HERE)) == 60


def test_many_names_from_one_address_are_stopped_at_a_hundred_within_an_hour(clock: Clock, db: None) -> None:
    for number in range(100):
        begin_attempt(name=f"name-{number}", address=HERE)
        clock.move(seconds=1)
    assert 0 < wait_of(lambda: begin_attempt(name="one-more", address=HERE)) <= 60
    assert wait_of(lambda: begin_attempt(name="one-more", address=ELSEWHERE)) == 0


def test_a_hospital_behind_one_address_that_mistypes_all_day_is_not_stopped(clock: Clock, db: None) -> None:
    for number in range(500):
        begin_attempt(name=f"name-{number}", address=HERE)
        clock.move(minutes=1)


def test_second_factors_count_and_the_right_password_in_between_forgives_nothing(clinician: User) -> None:
    give_app(clinician)
    said = []
    for _ in range(6):
        client = visitor()
        post_password(client, "clinician")
        said.append(text(post_code(client, wrong_code())))
    assert "This code is not right" in said[3]
    assert LOCKED in text(post_password(visitor(), "clinician"))
    assert AuditEvent.objects.filter(action=AuditAction.SECOND_FACTOR_FAILED).count() == 5


def test_guesses_at_the_current_password_count_and_are_on_record(clinician: User) -> None:
    client = visitor()
    post_password(client, "clinician")
    confirm(client)
    form = {"password1": NEW, "password2": NEW}
    url = reverse("account_change_password")
    said = [text(client.post(url, form | {"oldpassword": f"wrong {number}"})) for number in range(5)]
    assert all("This is not your current password" in page for page in said)
    assert LOCKED in text(client.post(url, form | {"oldpassword": PASSWORD}))
    clinician.refresh_from_db()
    assert clinician.check_password(PASSWORD)
    failed = AuditEvent.objects.filter(action=AuditAction.SIGN_IN_FAILED)
    assert {event.actor_name for event in failed} == {"clinician"}
    assert failed.count() == 5


def test_codes_of_an_account_are_bounded_whatever_the_addresses(clinician: User, clock: Clock) -> None:
    give_app(clinician)

    def try_code(number: int, code: str) -> tuple[Client, str]:
        client = visitor(f"198.51.100.{number}")
        post_password(client, "clinician")
        return client, text(post_code(client, code))

    for number in range(20):
        assert "This code is not right" in try_code(number, wrong_code())[1]
    client, said = try_code(21, code_at())
    assert LOCKED in said
    assert not is_in(client)
    event = AuditEvent.objects.get(action=AuditAction.SIGN_IN_LOCKED)
    assert (event.actor_name, event.detail["step"]) == ("clinician", "code")
    assert 3500 < event.detail["seconds"] <= 3600
    clock.move(minutes=61)
    assert is_in(try_code(22, code_at())[0])


def test_the_lock_of_codes_grows_to_a_day_and_the_count_ends_with_the_day(clock: Clock, db: None) -> None:
    began, waits, number = clock.at, [], 0
    while clock.at < began + timedelta(days=30):
        number += 1
        address = f"2001:db8:{number:x}::1"
        if wait := wait_of(partial(begin_attempt, name="clinician", address=address, code_of=7)):
            waits.append(wait)
            clock.move(seconds=wait)
    tried = number - len(waits)
    print(f"codes that one may try in 30 days, from as many addresses as one likes: {tried}")
    assert waits[:5] == [3600, 7200, 14400, 28800, 57600]
    assert tried <= 30 * 25


def test_a_new_password_frees_the_codes_of_an_account(clinician: User) -> None:
    for number in range(20):
        begin_attempt(name="clinician", address=f"198.51.100.{number}", code_of=clinician.pk)
    assert wait_of(lambda: begin_attempt(name="clinician", address=HERE, code_of=clinician.pk))
    clinician.set_password("five words nobody else joins")
    clinician.save()
    assert not wait_of(lambda: begin_attempt(name="clinician", address=HERE, code_of=clinician.pk))


def test_who_does_not_know_the_password_locks_no_codes(clinician: User) -> None:
    give_app(clinician)
    for number in range(40):
        post_password(visitor(f"198.51.100.{number}"), "clinician", "wrong")
    client = visitor()
    post_password(client, "clinician")
    post_code(client, code_at())
    assert is_in(client)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.7", HERE, True),
        ("fe80::1%eth0", "fe80::2", True),
        (HERE, "192.0.2.8", False),
    ],
)
def test_addresses_of_ipv6_count_by_their_network(clock: Clock, db: None, one: str, other: str, is_same: bool) -> None:
    for _ in range(5):
        begin_attempt(name="clinician", address=one)
    assert bool(wait_of(lambda: begin_attempt(name="clinician", address=other))) == is_same
    lockout.forget_failures(name="clinician", address=other)
    assert bool(wait_of(lambda: begin_attempt(name="clinician", address=one))) != is_same


def test_a_lock_makes_one_row_however_often_it_is_tried(clinician: User, clock: Clock) -> None:
    def locks() -> int:
        return AuditEvent.objects.filter(action=AuditAction.SIGN_IN_LOCKED).count()

    for _ in range(30):
        post_password(visitor(), "clinician", "wrong")
    assert locks() == 1
    clock.move(seconds=61)
    for _ in range(10):
        post_password(visitor(), "clinician", "wrong")
    assert locks() == 2


def test_a_locked_address_makes_one_row_whatever_the_names(clock: Clock, db: None) -> None:
    for number in range(100):
        begin_attempt(name=f"name-{number}", address=HERE)
    for number in range(20):
        post_password(visitor(), f"other-{number}", "wrong")
    assert AuditEvent.objects.filter(action=AuditAction.SIGN_IN_LOCKED).count() == 1


def test_a_sign_in_with_all_that_it_takes_clears_the_pair(clinician: User) -> None:
    give_app(clinician)
    client = visitor()
    for _ in range(3):
        post_password(client, "clinician", "wrong")
    post_password(client, "clinician")
    assert FailedAttempts.objects.filter(failures=3).exists()
    post_code(client, code_at())
    assert is_in(client)
    key = lockout._key("pair", "clinician", HERE)
    assert not FailedAttempts.objects.filter(key=key).exists()


def test_a_lock_is_on_record_and_names_stand_nowhere_in_the_table(clinician: User) -> None:
    for _ in range(6):
        post_password(visitor(), "clinician", "wrong")
    event = AuditEvent.objects.get(action=AuditAction.SIGN_IN_LOCKED)
    assert (event.actor_name, event.address, event.actor_id) == ("clinician", HERE, None)
    assert 0 < event.detail["seconds"] <= 60
    assert AuditEvent.objects.filter(action=AuditAction.SIGN_IN_FAILED).count() == 5
    assert "clinician" not in str(list(FailedAttempts.objects.values()))
    assert HERE not in str(list(FailedAttempts.objects.values()))


def test_old_failures_are_forgotten(clock: Clock, db: None) -> None:
    for _ in range(4):
        begin_attempt(name="clinician", address=HERE)
    clock.move(hours=25)
    begin_attempt(name="clinician", address=HERE)
    assert wait_of(lambda: begin_attempt(name="clinician", address=HERE)) == 0
    clock.move(hours=25)
    assert lockout.forget_old_failures() == 2
