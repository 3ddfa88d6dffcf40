"""The bell and the page of notices: whose they are, what they say, and what they do not say."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from diagnoses.models import Notification, Study
from diagnoses.models.people import NoticeKind
from tests.diagnoses.conftest import browser_of


def tell(user: User, kind: NoticeKind, study: Study | None = None) -> Notification:
    return Notification.objects.create(user=user, kind=kind, study=study, about=str(study.pk if study else "batch"))


def bell_of(client: Client, known: str = "") -> str:
    response = client.get(reverse("notices"), {"known": known}, HTTP_HX_REQUEST="true")
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def urgent(clinician: User, done_study: Study) -> Notification:
    return tell(clinician, NoticeKind.URGENT_PNEUMONIA, done_study)


def test_the_bell_counts_what_is_not_seen_and_says_what_it_is(browser: Client, urgent: Notification) -> None:
    bell = bell_of(browser)
    assert 'id="bell-count" class="bell-count" aria-hidden="true" hx-swap-oob="true">1<' in bell
    assert "1 notice not seen yet" in bell
    assert "Urgent, and likely pneumonia" in bell
    assert "<html" not in bell


def test_the_bell_rings_only_when_the_count_has_changed(browser: Client, urgent: Notification) -> None:
    assert "bell-status" in bell_of(browser, known="0")
    assert "bell-status" not in bell_of(browser, known="1")


@pytest.mark.usefixtures("urgent")
def test_a_notice_says_nothing_of_the_patient(browser: Client) -> None:
    assert "P-0001" not in browser.get(reverse("notices")).content.decode()


def test_to_who_reads_first_a_notice_gives_no_answer_away(browser: Client, clinician: User, done_study: Study) -> None:
    tell(clinician, NoticeKind.URGENT_ANSWERED, study=done_study)
    bell = bell_of(browser)
    assert "An urgent study waits for you" in bell
    assert "pneumonia" not in bell.lower()


def test_a_chosen_notice_counts_as_seen_and_leads_to_its_study(
    browser: Client, clinician: User, done_study: Study, urgent: Notification
) -> None:
    other = tell(clinician, NoticeKind.BATCH_DONE)
    response: Any = browser.post(reverse("notices_seen"), {"notice": urgent.pk})
    assert response["Location"] == reverse("study", args=[done_study.pk])
    assert [n.pk for n in Notification.objects.filter(seen_at=None)] == [other.pk]
    assert browser.post(reverse("notices_seen"), {"notice": other.pk})["Location"] == reverse("worklist")


def test_all_notices_are_seen_at_once(browser: Client, clinician: User, urgent: Notification) -> None:
    tell(clinician, NoticeKind.BATCH_DONE)
    page = browser.post(reverse("notices_seen"), follow=True).content.decode()
    assert "Mark all as seen" not in page
    assert not Notification.objects.filter(seen_at=None).exists()


@pytest.mark.parametrize("key", ["0", "x", "9" * 30, "-1"])
def test_a_notice_that_is_none_is_not_found(browser: Client, key: str) -> None:
    assert browser.post(reverse("notices_seen"), {"notice": key}).status_code == 404


def test_an_outsider_neither_sees_nor_silences_anothers_notice(outsider: User, urgent: Notification) -> None:
    client = browser_of(outsider)
    assert "Nothing yet." in bell_of(client)
    assert client.post(reverse("notices_seen"), {"notice": urgent.pk}).status_code == 404
    client.post(reverse("notices_seen"))
    urgent.refresh_from_db()
    assert urgent.seen_at is None
