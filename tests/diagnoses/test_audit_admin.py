"""The auditor's panel: narrowed, followed for one study, exported, and each look itself on record."""

import csv
import json
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import AsyncClient, Client
from django.urls import reverse

from diagnoses import audit
from diagnoses.models import AuditEvent, Image, Study
from diagnoses.models.audit import AuditAction, Outcome
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import broken_audit, last_event

UNASKED = (AuditAction.AUDIT_VIEWED, AuditAction.SIGN_IN, AuditAction.PERMISSIONS_CHANGED)
"""What making and signing in the cast puts on record."""
LIST = "admin:diagnoses_auditevent_changelist"


@pytest.fixture
def panel(auditor: User) -> Client:
    return browser_of(auditor)


@pytest.fixture
def seen(clinician: User, radiologist: User, done_study: Study) -> Study:
    """A study of a patient that two people looked at, and an upload that came to nothing."""
    image = Image.objects.get()
    audit.record(AuditAction.STUDY_VIEWED, audit.user_actor(clinician, "192.0.2.1"), done_study)
    audit.record(AuditAction.PICTURE_VIEWED, audit.user_actor(radiologist, "192.0.2.2"), image)
    audit.record(AuditAction.UPLOAD_REFUSED, audit.user_actor(clinician, "192.0.2.1"), rejected=["damaged"])
    return done_study


def listed(panel: Client, **query: Any) -> list[str]:
    response = panel.get(reverse(LIST), query)
    assert response.status_code == 200
    shown = [event.action for event in response.context["cl"].result_list]
    return [action for action in shown if action not in UNASKED]


def exported(panel: Client, kind: str, **query: Any) -> str:
    async def ask() -> str:
        client = AsyncClient()
        client.cookies = panel.cookies
        response: Any = await client.get(reverse("admin:diagnoses_auditevent_export", args=[kind]), query)
        assert response.status_code == 200
        return b"".join([part async for part in response]).decode()

    return async_to_sync(ask)()


def test_all_is_listed_the_newest_first(panel: Client, seen: Study) -> None:
    assert listed(panel) == [AuditAction.UPLOAD_REFUSED, AuditAction.PICTURE_VIEWED, AuditAction.STUDY_VIEWED]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"who": "radiologist"}, ["picture_viewed"]),
        ({"who": "radio"}, []),
        ({"event": "110107"}, ["upload_refused"]),
        ({"action": "study_viewed"}, ["study_viewed"]),
        ({"outcome": "4"}, ["upload_refused"]),
        ({"outcome": "0"}, ["picture_viewed", "study_viewed"]),
        ({"failed": "0"}, ["upload_refused"]),
        ({"address": "192.0.2.2"}, ["picture_viewed"]),
        ({"since": "2001-01-01T00:00", "until": "2002-01-01T00:00"}, []),
        ({"since": "2001-01-01T00:00", "who": "radiologist"}, ["picture_viewed"]),
        ({"study": "nonsense"}, []),
        ({"patient": "P-0001"}, []),
    ],
)
def test_the_list_is_narrowed(panel: Client, seen: Study, query: dict[str, str], expected: list[str]) -> None:
    assert listed(panel, **query) == expected


def test_the_list_is_narrowed_to_a_study_and_to_a_patient(panel: Client, seen: Study) -> None:
    both = [AuditAction.PICTURE_VIEWED, AuditAction.STUDY_VIEWED]
    assert listed(panel, study=str(seen.pk)) == both
    assert listed(panel, patient=str(seen.subject_id)) == both


def test_a_patient_id_leads_to_the_events_of_its_patient_and_stands_in_no_address(panel: Client, seen: Study) -> None:
    answer = panel.post(reverse("admin:diagnoses_auditevent_patient"), {"patient_id": " p-0001 "})
    assert answer["Location"] == f"{reverse(LIST)}?patient={seen.subject_id}"
    assert listed(panel, patient=str(seen.subject_id)) == ["picture_viewed", "study_viewed"]
    looked = AuditEvent.objects.filter(action=AuditAction.AUDIT_VIEWED, detail__looked_for="patient").get()
    assert looked.detail["patient"] == str(seen.subject_id)
    assert not AuditEvent.objects.filter(detail__icontains="p-0001").exists()


def test_a_patient_id_of_nobody_is_told_and_the_look_is_on_record(panel: Client, seen: Study) -> None:
    answer = panel.post(reverse("admin:diagnoses_auditevent_patient"), {"patient_id": "P-9"}, follow=True)
    assert "Nobody has this patient ID" in answer.content.decode()
    assert AuditEvent.objects.filter(detail__looked_for="patient", detail__patient="").count() == 1


def test_nobody_but_an_auditor_finds_events_by_patient(clinician: User, seen: Study) -> None:
    answer = browser_of(clinician).post(reverse("admin:diagnoses_auditevent_patient"), {"patient_id": "P-0001"})
    assert answer.status_code == 302
    assert "patient=" not in answer["Location"]


def test_each_look_is_on_record_with_its_filter(panel: Client, seen: Study) -> None:
    said = {"who": "radiologist", "address": "192.0.2.2"}
    listed(panel, **said)
    event = last_event(AuditAction.AUDIT_VIEWED)
    assert (event.actor_name, event.event, event.detail) == (
        "auditor",
        "110101",
        {"filter": {"who": "radiologist", "address": "192.0.2.2"}},
    )


def test_a_look_at_one_event_is_on_record(panel: Client, seen: Study) -> None:
    looked_at = last_event(AuditAction.PICTURE_VIEWED)
    assert panel.get(reverse("admin:diagnoses_auditevent_change", args=[looked_at.pk])).status_code == 200
    event = last_event(AuditAction.AUDIT_VIEWED)
    assert (event.object_type, event.object_id) == ("auditevent", str(looked_at.pk))


def test_who_saw_a_study_is_a_page_of_people_times_and_what_they_saw(panel: Client, seen: Study) -> None:
    response = panel.get(reverse("admin:diagnoses_auditevent_seen", args=[seen.pk]))
    page = response.content.decode()
    assert {(person.name, person.events) for person in response.context["people"]} >= {
        ("clinician", 1),
        ("radiologist", 1),
    }
    assert "Picture viewed" in page
    assert "192.0.2.1" in page
    assert "P-0001" not in page
    assert f"?patient={seen.subject_id}" in page
    event = last_event(AuditAction.AUDIT_VIEWED)
    assert (event.study, event.patient) == (seen.pk, str(seen.subject_id))


def test_an_administrator_gets_there_from_the_study(administrator: User, seen: Study) -> None:
    administrator.groups.add(*User.objects.get(username="radiologist").groups.all())
    address = reverse("admin:diagnoses_auditevent_seen", args=[seen.pk])
    assert address in browser_of(administrator).get(reverse("study", args=[seen.pk])).content.decode()
    radiologist = browser_of(User.objects.get(username="radiologist"))
    assert address not in radiologist.get(reverse("study", args=[seen.pk])).content.decode()


def test_an_export_as_csv_holds_what_matches_and_no_formula(panel: Client, seen: Study) -> None:
    audit.record(AuditAction.SIGN_IN_FAILED, audit.Actor(None, "=HYPERLINK(1)", "192.0.2.9"))
    text = exported(panel, "csv", failed="0")
    rows = list(csv.DictReader(StringIO(text.removeprefix("\ufeff"), newline="")))
    assert [row["actor_name"] for row in rows] == ["clinician", "'=HYPERLINK(1)"]
    assert [row["event_meaning"] for row in rows] == ["Import", "User Authentication"]
    event = last_event(AuditAction.AUDIT_EXPORTED)
    assert event.detail == {"format": "csv", "filter": {"failed": "0"}}


def test_an_export_as_json_lines_is_an_object_per_event_from_old_to_new(panel: Client, seen: Study) -> None:
    rows = [json.loads(line) for line in exported(panel, "jsonl", study=str(seen.pk)).splitlines()]
    assert [row["action"] for row in rows] == ["study_viewed", "picture_viewed"]
    assert rows[0]["patient"] == str(seen.subject_id)


@pytest.mark.parametrize("address", ["export", "seen"])
@pytest.mark.parametrize("who", ["outsider", "radiologist"])
def test_nobody_else_gets_there(request: pytest.FixtureRequest, seen: Study, address: str, who: str) -> None:
    client = browser_of(request.getfixturevalue(who))
    argument = seen.pk if address == "seen" else "csv"
    url = reverse(f"admin:diagnoses_auditevent_{address}", args=[argument])
    assert client.get(url).status_code == 302, "to the panel's sign-in"
    User.objects.update(is_staff=True)
    assert client.get(url).status_code == 403
    assert not AuditEvent.objects.filter(action__in=[AuditAction.AUDIT_VIEWED, AuditAction.AUDIT_EXPORTED]).exists()


@pytest.mark.parametrize("query", ["study=x", "outcome=7"])
def test_a_filter_that_is_not_valid_exports_nothing(panel: Client, query: str) -> None:
    response = panel.get(reverse("admin:diagnoses_auditevent_export", args=["csv"]) + f"?{query}")
    assert response.status_code == 400
    assert "set it again" in response.content.decode()


@pytest.mark.parametrize("address", ["list", "seen", "csv"])
def test_the_audit_is_not_shown_where_the_look_cannot_be_put_on_record(
    panel: Client, seen: Study, address: str
) -> None:
    panel.raise_request_exception = False
    urls = {
        "list": reverse(LIST),
        "seen": reverse("admin:diagnoses_auditevent_seen", args=[seen.pk]),
        "csv": reverse("admin:diagnoses_auditevent_export", args=["csv"]),
    }
    with broken_audit():
        response = panel.get(urls[address])
    assert response.status_code == 500
    assert "radiologist" not in response.content.decode()


def test_outcomes_have_words(panel: Client, seen: Study) -> None:
    assert str(Outcome.MINOR_FAILURE.label) in panel.get(reverse(LIST)).content.decode()
