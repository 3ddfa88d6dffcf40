"""Emergency access: with a reason, for a while, for one patient, on record and told to others."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from diagnoses.models import AuditEvent, EmergencyAccess, Notification, Patient, Study
from diagnoses.models.audit import AuditAction, Outcome
from diagnoses.selectors.history import find_studies, history_page
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.selectors.studies import visible_to
from diagnoses.services.patients import patient_for
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import last_event

REASON = "Unconscious in the resuscitation room"
PAGE = "/emergency/"


@pytest.fixture
def stranger(outsider: User, done_study: Study) -> Client:
    return browser_of(outsider)


def take(browser: Client, patient_id: str = " p-0001 ", reason: str = REASON) -> int:
    return browser.post(PAGE, {"patient_id": patient_id, "reason": reason}).status_code


def test_the_patients_studies_open_and_all_of_it_is_on_record(
    stranger: Client, outsider: User, done_study: Study
) -> None:
    study = reverse("study", args=[done_study.pk])
    assert stranger.get(study).status_code == 404
    assert take(stranger) == 302
    assert study in stranger.get(PAGE).content.decode()
    page = stranger.get(study).content.decode()
    access = EmergencyAccess.objects.get()
    event = last_event(AuditAction.GLASS_BROKEN)
    assert (event.outcome, event.detail["reason"]) == (Outcome.SUCCESS, REASON)
    assert "P-0001" not in str(event.detail)
    assert last_event(AuditAction.STUDY_VIEWED).detail == {"emergency": str(access.pk)}
    assert reverse("mend_glass", args=[access.pk]) in page
    assert access.until - access.granted_at == timedelta(minutes=60)


def test_it_opens_that_patient_alone_and_no_list(stranger: Client, outsider: User, clinician: User) -> None:
    Study.objects.create(submitted_by=clinician, subject=patient_for("P-0002"), patient_id="P-0002")
    take(stranger)
    assert [study.patient_id for study in visible_to(outsider)] == ["P-0001"]
    assert not find_studies(outsider, HistoryFilter()).exists()
    assert not history_page(outsider, HistoryFilter()).jobs
    assert "P-0001" not in stranger.get("/").content.decode()


def test_it_ends_with_its_time(stranger: Client, outsider: User, done_study: Study) -> None:
    take(stranger)
    EmergencyAccess.objects.update(until=timezone.now())
    assert stranger.get(reverse("study", args=[done_study.pk])).status_code == 404
    answer = stranger.post(reverse("mend_glass", args=[EmergencyAccess.objects.get().pk]))
    assert answer["Location"] == reverse("break_glass")
    assert not AuditEvent.objects.filter(action=AuditAction.GLASS_MENDED).exists()


def test_two_of_them_can_be_told_apart_in_their_banners_and_buttons(
    stranger: Client, clinician: User, done_study: Study
) -> None:
    Study.objects.create(submitted_by=clinician, subject=patient_for("P-0002"), patient_id="P-0002")
    take(stranger, reason="collapsed in the ward")
    take(stranger, "P-0002", "unconscious after a fall")
    page = re.sub(r"\s+", " ", stranger.get("/").content.decode())
    for reason in ("collapsed in the ward", "unconscious after a fall"):
        assert re.search(rf"Emergency access from [^<]+</strong> <span[^>]*>“{reason}”", page)
        assert f'End it now<span class="visually-hidden"> “{reason}”' in page


def test_its_user_ends_it_before(stranger: Client, done_study: Study) -> None:
    take(stranger)
    access = EmergencyAccess.objects.get()
    assert stranger.post(reverse("mend_glass", args=[access.pk])).status_code == 302
    assert stranger.get(reverse("study", args=[done_study.pk])).status_code == 404
    assert last_event(AuditAction.GLASS_MENDED).object_id == str(access.pk)


def test_nobody_ends_anothers(stranger: Client, browser: Client) -> None:
    take(stranger)
    assert browser.post(reverse("mend_glass", args=[EmergencyAccess.objects.get().pk])).status_code == 404


@pytest.mark.parametrize(("patient_id", "reason"), [("", REASON), ("P-0001", ""), ("P-0001", "please open")])
def test_without_an_id_and_a_few_words_nothing_opens(stranger: Client, patient_id: str, reason: str) -> None:
    assert take(stranger, patient_id, reason) == 400
    assert not EmergencyAccess.objects.exists()


def test_an_id_of_nobody_is_on_record_before_it_is_said_and_ends_for_the_hour(stranger: Client) -> None:
    assert [take(stranger, f"P-9{number}") for number in range(6)] == [400] * 5 + [429]
    assert take(stranger) == 429
    outcomes = AuditEvent.objects.filter(action=AuditAction.GLASS_BROKEN).order_by("id")
    assert [event.detail["found"] for event in outcomes] == ["nobody"] * 5 + ["limited"] * 2
    assert not Notification.objects.exists()
    EmergencyAccess.objects.update(granted_at=timezone.now() - timedelta(hours=2))
    assert take(stranger) == 302


def test_auditors_and_administrators_are_told_and_find_what_was_opened(
    stranger: Client, auditor: User, administrator: User, done_study: Study
) -> None:
    take(stranger)
    stranger.get(reverse("study", args=[done_study.pk]))
    access = EmergencyAccess.objects.get()
    address = reverse("admin:diagnoses_emergencyaccess_change", args=[access.pk])
    for user in (auditor, administrator):
        notice = Notification.objects.get(user=user)
        browser = browser_of(user)
        assert browser.post(reverse("notices_seen"), {"notice": notice.pk})["Location"] == address
        page = browser.get(address).content.decode()
        for said in (REASON, "outsider", str(access.patient_id), str(done_study.pk)):
            assert said in page
        assert "P-0001" not in page
    assert Notification.objects.count() == 2


def test_what_was_opened_is_found_under_whatever_name_its_user_has_now(
    stranger: Client, outsider: User, auditor: User, done_study: Study
) -> None:
    take(stranger)
    stranger.get(reverse("study", args=[done_study.pk]))
    address = reverse("admin:diagnoses_emergencyaccess_change", args=[EmergencyAccess.objects.get().pk])
    User.objects.filter(pk=outsider.pk).update(username="somebody-else")
    page = browser_of(auditor).get(address).content.decode()
    assert "somebody-else" in page
    assert str(done_study.pk) in page


def test_an_administrator_sees_a_patient_in_an_emergency_alone(administrator: User, done_study: Study) -> None:
    browser = browser_of(administrator)
    study = reverse("study", args=[done_study.pk])
    assert browser.get(study).status_code == 404
    take(browser)
    assert browser.get(study).status_code == 200


def test_an_auditor_takes_none(auditor: User, done_study: Study) -> None:
    assert take(browser_of(auditor)) == browser_of(auditor).get(PAGE).status_code == 403


def test_a_right_that_is_lost_closes_it(stranger: Client, outsider: User, done_study: Study) -> None:
    take(stranger)
    outsider.groups.clear()
    assert stranger.get(reverse("study", args=[done_study.pk])).status_code == 404


def test_studies_of_one_patient_keep_one_pseudonym(stranger: Client, clinician: User, done_study: Study) -> None:
    take(stranger)
    Study.objects.create(submitted_by=clinician, subject=patient_for("P-0001"), patient_id="P-0001")
    take(stranger)
    assert Patient.objects.count() == 1
    assert Study.objects.filter(subject=Patient.objects.get()).count() == 2
