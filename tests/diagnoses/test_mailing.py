"""Notices by e-mail: to whom, when, how often, with which words, and what a failing mail server costs."""

from datetime import timedelta
from smtplib import SMTPException
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core import mail
from django.utils import timezone
from django.utils.translation import get_language

from diagnoses.management.commands import scheduler
from diagnoses.models import Notification, Profile, Study
from diagnoses.models.people import NoticeKind
from diagnoses.services import mailing
from diagnoses.services.mailing import Mailed, mail_notices
from tests.diagnoses.test_notices_page import tell
from tests.threads import in_a_thread

ADDRESS = "clinician@hospital.example"


@pytest.fixture
def reader(clinician: User, settings: LazySettings) -> User:
    """One who wants mail, and has an address."""
    settings.CXR_SITE_URL, settings.DEFAULT_FROM_EMAIL = "https://reader.example", "site@reader.example"
    User.objects.filter(pk=clinician.pk).update(email=ADDRESS)
    Profile.objects.create(user=clinician, wants_mail=True)
    return clinician


@pytest.fixture
def urgent(reader: User, done_study: Study) -> Notification:
    return tell(reader, NoticeKind.URGENT_PNEUMONIA, done_study)


def test_a_mail_says_where_something_waits_and_nothing_of_the_patient(urgent: Notification) -> None:
    assert mail_notices() == Mailed(sent=1)
    [message] = mail.outbox
    assert (message.to, message.from_email) == ([ADDRESS], "site@reader.example")
    assert "https://reader.example/" in message.body
    for secret in ("P-0001", "neumonia", str(urgent.study_id)):
        assert secret not in f"{message.subject} {message.body}"


def test_each_notice_is_mailed_once_and_several_in_one_mail(reader: User, urgent: Notification) -> None:
    Notification.objects.filter(pk=tell(reader, NoticeKind.BATCH_DONE).pk).update(
        created_at=timezone.now() - timedelta(minutes=2)
    )
    assert [mail_notices(), mail_notices()] == [Mailed(sent=1), Mailed()]
    assert len(mail.outbox) == 1
    assert not Notification.objects.filter(mailed_at=None).exists()


def test_what_is_not_urgent_waits_a_minute_for_its_reader_to_see_it_on_a_page(reader: User) -> None:
    tell(reader, NoticeKind.BATCH_DONE)
    assert mail_notices() == Mailed()
    Notification.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    assert mail_notices() == Mailed(sent=1)


@pytest.mark.parametrize(
    ("of_notice", "of_profile", "of_user"),
    [
        ({"seen_at": timezone.now()}, {}, {}),
        ({"created_at": timezone.now() - timedelta(days=2)}, {}, {}),
        ({}, {"wants_mail": False}, {}),
        ({}, {}, {"email": ""}),
        ({}, {}, {"is_active": False}),
    ],
)
def test_no_mail_is_sent_where_none_is_wanted(
    of_notice: dict[str, Any], of_profile: dict[str, Any], of_user: dict[str, Any], reader: User, urgent: Notification
) -> None:
    Notification.objects.update(**of_notice or {"mailed_at": None})
    Profile.objects.update(**of_profile or {"reads_first": False})
    User.objects.filter(pk=reader.pk).update(**of_user or {"is_staff": False})
    assert mail_notices() == Mailed()
    assert mail.outbox == []


@pytest.mark.parametrize("error", [SMTPException("refused"), ConnectionRefusedError(), TimeoutError()])
def test_a_mail_server_that_fails_delays_its_mail_and_nobody_elses(
    error: Exception, outsider: User, urgent: Notification, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.filter(pk=outsider.pk).update(email="outsider@hospital.example")
    Profile.objects.create(user=outsider, wants_mail=True)
    tell(outsider, NoticeKind.URGENT_PNEUMONIA)
    send = mailing._send

    def fail_for_the_first(user: User) -> None:
        if user.email == ADDRESS:
            raise error
        send(user)

    monkeypatch.setattr(mailing, "_send", fail_for_the_first)
    assert mail_notices() == Mailed(sent=1, failed=1)
    assert [message.to for message in mail.outbox] == [["outsider@hospital.example"]]
    monkeypatch.undo()
    assert mail_notices() == Mailed(sent=1)
    assert [message.to for message in mail.outbox][1:] == [[ADDRESS]]


def test_the_scheduler_outlives_a_mail_server_that_fails_and_asks_it_less_often(
    urgent: Notification, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    class Stop:
        def wait(self, seconds: float) -> bool:
            pauses.append(seconds)
            return len(pauses) > 2

    outcomes = iter([Mailed(failed=1), Mailed(sent=1), Mailed()])
    monkeypatch.setattr(scheduler, "mail_notices", lambda: next(outcomes))
    in_a_thread(lambda: scheduler._mail_again_and_again(Stop()))  # type: ignore[arg-type]
    assert pauses == [60.0, 10.0, 10.0]


def test_a_mail_is_in_its_readers_language(reader: User, urgent: Notification, monkeypatch: pytest.MonkeyPatch) -> None:
    Profile.objects.update(language="vi")
    monkeypatch.setattr(mailing, "_", lambda text: f"{get_language()}: {text}")
    mail_notices()
    assert str(mail.outbox[0].subject).startswith("vi: ")
