"""Signing a reading of one's own beside the model's answer."""

import uuid
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from diagnoses.models import AuditEvent, ModelVersion, Reading, Study
from diagnoses.models.audit import AuditAction
from diagnoses.services.signing import SigningConflictError, SigningError
from diagnoses.states import JobStatus
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import broken_audit, last_event, make_job_of, make_result, make_study
from tests.diagnoses.signing import image_of, job_of, post, sign


def page_of(browser: Client, study: Study) -> str:
    response = browser.get(reverse("study", args=[study.pk]))
    assert response.status_code == 200
    return " ".join(unescape(response.content.decode()).split())


def test_agreeing_alone_is_a_reading_with_the_models_label(browser: Client, done_study: Study, clinician: User) -> None:
    response = post(browser, image_of(done_study), agreement="agree", answer=job_of(done_study).pk, text=" Lobar. ")
    assert (response.status_code, response["Location"]) == (302, f"/studies/{done_study.pk}/#image-0")
    reading = Reading.objects.get()
    assert (reading.finding, reading.agreement, reading.text) == ("PNEUMONIA", "agree", "Lobar.")
    assert (reading.reader, reading.reader_name, reading.part) == (clinician, "clinician", "first")
    assert (reading.job, reading.answer_shown, reading.replaces) == (job_of(done_study), True, None)


@pytest.mark.parametrize(
    ("finding", "agreement"),
    [("PNEUMONIA", "agree"), ("NORMAL", "disagree"), ("OTHER", "disagree"), ("CANNOT_TELL", "cannot_tell")],
)
def test_a_finding_alone_says_how_it_stands_to_the_answer(
    clinician: User, done_study: Study, finding: str, agreement: str
) -> None:
    assert sign(clinician, image_of(done_study), finding).agreement == agreement


def test_another_finding_agrees_that_there_is_no_pneumonia(clinician: User, model_version: ModelVersion) -> None:
    study = make_study(clinician, model_version, JobStatus.QUEUED)
    make_result(job_of(study), label="NORMAL", probability=0.1)
    study.images.get().jobs.update(status=JobStatus.DONE)
    assert sign(clinician, image_of(study), "OTHER").agreement == "agree"


def test_nobody_can_agree_with_an_answer_that_says_nothing(clinician: User, done_study: Study) -> None:
    result = job_of(done_study).result
    result.indeterminate_reason = "band"
    result.save()
    assert sign(clinician, image_of(done_study)).agreement == "cannot_tell"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"agreement": "agree", "finding": "NORMAL"}, "You agree with “Pneumonia”, but your finding is “Normal”."),
        ({"agreement": "disagree", "finding": "PNEUMONIA"}, "You disagree with “Pneumonia”"),
        ({"agreement": "cannot_tell", "finding": "PNEUMONIA"}, "You cannot tell if “Pneumonia” is right"),
        ({"agreement": "disagree"}, "Say what you see: choose a finding."),
        ({}, "Say what you see: choose a finding."),
        ({"finding": "BROKEN"}, "BROKEN is not one of the available choices"),
        ({"finding": "NORMAL", "text": "x" * 4001}, "longer than 4000 characters"),
    ],
)
def test_what_contradicts_itself_is_not_signed_and_stays_in_the_form(
    browser: Client, done_study: Study, said: dict[str, str], words: str
) -> None:
    response = post(browser, image_of(done_study), **{"answer": job_of(done_study).pk, "text": "Kept", **said})
    page = unescape(response.content.decode())
    assert response.status_code == 400
    assert words in page
    assert said.get("text", "Kept") in page
    assert not Reading.objects.exists()


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.DONE])
def test_a_reading_needs_no_answer(clinician: User, model_version: ModelVersion, status: JobStatus) -> None:
    study = make_study(clinician, model_version, status)
    reading = sign(clinician, image_of(study), "NORMAL")
    assert (reading.agreement, reading.answer_shown, reading.job) == ("", False, job_of(study))
    assert "Signed by clinician (First reader)" in page_of(browser_of(clinician), study)


def test_agreement_is_with_the_answer_that_was_on_the_page(
    browser: Client, done_study: Study, xception: ModelVersion
) -> None:
    seen = job_of(done_study)
    make_job_of(image_of(done_study), xception, JobStatus.DONE)
    response = post(browser, image_of(done_study), agreement="agree", answer=seen.pk)
    assert response.status_code == 409
    assert "The answer on this page has changed while you read." in unescape(response.content.decode())


def test_an_edit_is_a_new_reading_and_the_earlier_one_stays_and_is_shown(clinician: User, done_study: Study) -> None:
    image = image_of(done_study)
    first = sign(clinician, image, "NORMAL", text="Clear.")
    second = sign(clinician, image, "PNEUMONIA", text="Left base after all.", replaces=first.pk)
    assert second.replaces == first
    first.refresh_from_db()
    assert (first.finding, first.text) == ("NORMAL", "Clear.")
    page = page_of(browser_of(clinician), done_study)
    assert "Earlier versions (1)" in page
    assert "“Clear.”" in page.replace(" ”", "”")
    assert page.index("Left base after all.") < page.index("Earlier versions")


def test_of_two_windows_the_later_one_is_told_and_keeps_what_was_written(browser: Client, done_study: Study) -> None:
    image = image_of(done_study)
    assert post(browser, image, finding="NORMAL", replaces="").status_code == 302
    response = post(browser, image, finding="PNEUMONIA", replaces="", text="From the other window")
    page = unescape(response.content.decode())
    assert response.status_code == 409
    assert "was signed meanwhile" in page
    assert "From the other window" in page
    own = Reading.objects.get()
    assert f'name="replaces" value="{own.pk}"' in page
    assert post(browser, image, finding="PNEUMONIA", replaces=own.pk).status_code == 302


def test_of_two_edits_of_one_reading_the_later_one_is_told(clinician: User, done_study: Study) -> None:
    image = image_of(done_study)
    first = sign(clinician, image)
    sign(clinician, image, "NORMAL", replaces=first.pk)
    with pytest.raises(SigningConflictError, match="signed meanwhile"):
        sign(clinician, image, "OTHER", replaces=first.pk)


def test_the_database_itself_lets_nobody_edit_one_reading_twice(clinician: User, done_study: Study) -> None:
    first = sign(clinician, image_of(done_study))
    fields = {"image": first.image, "reader": clinician, "finding": "NORMAL", "answer_shown": True}
    Reading.objects.create(replaces=first, **fields)
    with pytest.raises(DatabaseError), transaction.atomic():
        Reading.objects.create(replaces=first, **fields)
    with pytest.raises(DatabaseError), transaction.atomic():
        Reading.objects.create(**fields)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE diagnoses_reading SET finding = 'NORMAL'", "DELETE FROM diagnoses_reading", "TRUNCATE diagnoses_reading"],
)
def test_the_database_refuses_to_change_or_remove_a_reading(clinician: User, done_study: Study, statement: str) -> None:
    sign(clinician, image_of(done_study))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute(statement)


def test_a_signature_is_on_record_and_without_record_there_is_none(clinician: User, done_study: Study) -> None:
    with broken_audit(), pytest.raises(DatabaseError):
        sign(clinician, image_of(done_study))
    assert not Reading.objects.exists()
    reading = sign(clinician, image_of(done_study), text="Not for the record")
    event = last_event(AuditAction.READING_SIGNED)
    assert (event.actor_name, event.object_id) == ("clinician", str(reading.pk))
    assert event.detail["finding"] == "PNEUMONIA"
    assert "Not for the record" not in str(event.detail)


def test_an_outsider_and_one_who_may_not_sign_sign_nothing(
    outsider: User, auditor: User, administrator: User, done_study: Study
) -> None:
    image = image_of(done_study)
    assert post(browser_of(outsider), image, finding="NORMAL").status_code == 404
    assert post(browser_of(auditor), image, finding="NORMAL").status_code == 403
    assert post(browser_of(administrator), image, finding="NORMAL").status_code == 403
    with pytest.raises(PermissionDenied):
        sign(auditor, image)
    assert not Reading.objects.exists()
    assert not AuditEvent.objects.filter(action=AuditAction.READING_SIGNED).exists()


def test_the_page_changes_with_each_signature(clinician: User, done_study: Study) -> None:
    browser = browser_of(clinician)

    def state() -> str:
        page = page_of(browser, done_study)
        return page[page.index("data-state=") :].split('"')[1]

    before = state()
    sign(clinician, image_of(done_study))
    assert state() != before


def test_an_unknown_reading_cannot_be_edited(clinician: User, done_study: Study) -> None:
    with pytest.raises(SigningError):
        sign(clinician, image_of(done_study), replaces=uuid.uuid4())
