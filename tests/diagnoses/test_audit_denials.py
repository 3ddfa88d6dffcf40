"""What was refused or failed is on record, whatever its request undid, and nobody fills the disk with it."""

import time
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, transaction
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from diagnoses import audit, denials
from diagnoses.models import AuditEvent, Study
from diagnoses.models.audit import AuditAction, Outcome
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import broken_audit, last_event

DENIED = AuditEvent.objects.filter(action=AuditAction.ACCESS_DENIED)


def refused() -> list[AuditEvent]:
    return list(DENIED.all().order_by("id"))


def test_a_study_that_another_may_not_see_is_on_record_as_denied(outsider: User, done_study: Study) -> None:
    browser_of(outsider).get(reverse("study", args=[done_study.pk]) + "?words=P-0001")
    [event] = refused()
    assert (event.actor_name, event.address, event.outcome) == ("outsider", "192.0.2.7", Outcome.MINOR_FAILURE)
    assert (event.object_type, event.object_id, event.study) == ("study", str(done_study.pk), done_study.pk)
    assert event.detail == {"page": "study", "method": "GET", "status": 404}


def test_a_study_that_does_not_exist_is_denied_alike(outsider: User) -> None:
    number = uuid.uuid4()
    browser_of(outsider).get(reverse("picture", args=[number]))
    [event] = refused()
    assert (event.object_type, event.object_id, event.patient) == ("image", str(number), "")


def test_a_page_without_the_right_to_it_is_on_record(outsider: User) -> None:
    assert browser_of(outsider).post(reverse("pause"), {"reason": "x"}).status_code == 403
    [event] = refused()
    assert (event.detail["page"], event.detail["status"], event.actor_id) == ("pause", 403, outsider.pk)


def test_what_another_sites_page_asks_for_is_on_record_and_bounded(outsider: User, done_study: Study) -> None:
    client, foreign = browser_of(outsider), {"sec-fetch-site": "cross-site"}
    address = reverse("picture", args=[done_study.images.get().pk])
    assert client.get(address, headers=foreign).status_code == 403
    [event] = refused()
    assert (event.actor_name, event.detail) == ("outsider", {"page": "picture", "method": "GET", "status": 403})
    assert event.object_id == str(done_study.images.get().pk)
    for _ in range(5):
        assert Client(REMOTE_ADDR="192.0.2.9").get("/nowhere/", headers=foreign).status_code == 403
    assert len(refused()) == 2


def test_a_request_from_another_site_is_on_record(outsider: User) -> None:
    client = Client(enforce_csrf_checks=True, REMOTE_ADDR="192.0.2.7")
    client.force_login(outsider)
    assert client.post(reverse("sign_out")).status_code == 403
    assert [event.detail["page"] for event in refused()] == ["sign_out"]


def test_a_program_without_a_token_is_on_record(db: None) -> None:
    assert APIClient().get(reverse("api_studies")).status_code == 401
    [event] = refused()
    assert (event.actor_name, event.actor_id, event.detail["status"]) == ("", None, 401)


@pytest.mark.parametrize("address", ["/nothing/of/ours/", "/static/nothing.js", "/wp-login.php"])
def test_a_typo_is_not_on_record(outsider: User, address: str) -> None:
    assert browser_of(outsider).get(address).status_code == 404
    assert not refused()


def test_a_failure_is_on_record_though_all_that_its_request_did_was_undone(
    clinician: User, done_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        with transaction.atomic():
            Study.objects.create(submitted_by=clinician)
            raise OSError

    browser = browser_of(clinician)
    monkeypatch.setattr(audit, "record", fail)
    browser.raise_request_exception = False
    assert browser.get(reverse("study", args=[done_study.pk])).status_code == 500
    assert Study.objects.count() == 1
    event = last_event(AuditAction.REQUEST_FAILED)
    assert (event.outcome, event.study, event.detail["status"]) == (Outcome.SERIOUS_FAILURE, done_study.pk, 500)


def test_a_denial_that_cannot_be_put_on_record_stays_one(
    outsider: User, done_study: Study, caplog: pytest.LogCaptureFixture
) -> None:
    browser = browser_of(outsider)
    with broken_audit():
        assert browser.get(reverse("study", args=[done_study.pk])).status_code == 404
    assert "could not be put on record" in caplog.text
    assert "P-0001" not in caplog.text


def test_a_scanner_that_has_not_signed_in_makes_a_row_and_a_count_in_a_minute(
    monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    for _ in range(50):
        APIClient().get(reverse("api_study", args=[uuid.uuid4()]))
    assert len(refused()) == 1
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    Client().get(reverse("healthz"))
    assert refused()[-1].detail == {"more": 49}


def test_many_addresses_are_counted_together(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setattr(denials, "MOST_ADDRESSES", 3)
    for number in range(20):
        APIClient().get(reverse("api_studies"), REMOTE_ADDR=f"192.0.2.{number}")
    assert len(refused()) == 4


def test_a_user_who_asks_for_one_thing_after_another_has_a_row_for_each_up_to_a_number(
    outsider: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denials, "MOST_OF_A_USER", 5)
    browser = browser_of(outsider)
    for _ in range(8):
        browser.get(reverse("study", args=[uuid.uuid4()]))
    assert len(refused()) == 5
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    browser.get(reverse("healthz"))
    assert (refused()[-1].detail, refused()[-1].actor_name) == ({"more": 3}, "outsider")


def test_a_failure_of_a_site_whose_database_is_away_is_in_the_log(
    monkeypatch: pytest.MonkeyPatch, outsider: User, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any) -> Any:
        raise OperationalError("away")

    browser = browser_of(outsider)
    monkeypatch.setattr(audit, "actor_of", away)
    assert browser.get(reverse("study", args=[uuid.uuid4()])).status_code == 404
    assert "could not be put on record: away" in caplog.text
