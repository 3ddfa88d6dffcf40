"""Overriding a refusal, and asking for another model's reading, on the pages: who may, and what is said otherwise."""

from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks

from diagnoses.models import AuditEvent, Job, ModelVersion
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import Purpose
from diagnoses.roles import Role
from diagnoses.states import JobStatus
from tests.diagnoses.conftest import Doorbell, browser_of
from tests.diagnoses.factory import last_event, make_job, make_model_version, make_study, row

REASON = "It is an AP view; the header is wrong"


@pytest.fixture
def refused(clinician: User, model_version: ModelVersion) -> Job:
    study = make_study(clinician, model_version, patient_id="P-1")
    return make_job(study, model_version, JobStatus.REFUSED, error_code="not_frontal", error_message="No frontal view.")


def override(client: Client, job: Job, **data: str) -> Any:
    return client.post(reverse("override", args=[job.pk]), data)


def read_again(client: Client, job: Job, model: str = "xception@1.0.0") -> Any:
    return client.post(reverse("read_again", args=[job.image_id]), {"model": model})


def text(response: Any) -> str:
    return unescape(response.content.decode())


def take(codename: str) -> None:
    Group.objects.get(name=Role.CLINICIAN).permissions.remove(Permission.objects.get(codename=codename))


def test_a_refusal_that_is_overridden_is_queued_again_and_leads_back_to_the_image(
    browser: Client,
    refused: Job,
    doorbell: Doorbell,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = override(browser, refused, reason=f"  {REASON} ")
    study_url = reverse("study", args=[refused.image.study_id])
    assert (response.status_code, response["Location"]) == (302, f"{study_url}#image-0")
    now = row(refused)
    assert (now["status"], now["override_code"], now["override_reason"]) == ("queued", "not_frontal", REASON)
    event = last_event(AuditAction.REFUSAL_OVERRIDDEN)
    assert (event.actor_name, event.address, event.object_id) == ("clinician", "192.0.2.7", str(refused.pk))
    assert doorbell.rings() == 1


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("", "Say why this image should be read all the same."),
        ("   ", "Say why this image should be read all the same."),
        ("x" * 501, "at most 500 characters"),
        ("a\0b", "Null characters are not allowed"),
    ],
)
def test_an_override_without_a_good_reason_changes_nothing_and_says_so_beside_the_image(
    browser: Client, refused: Job, reason: str, words: str
) -> None:
    before = row(refused)
    response = override(browser, refused, reason=reason)
    assert response.status_code == 400
    page = text(response)
    assert words in page[page.index("<section") :]
    assert "Override the refusal" in page
    assert row(refused) == before


@pytest.mark.parametrize("status", JobStatus)
def test_what_the_gate_did_not_refuse_is_not_overridden(
    browser: Client, clinician: User, model_version: ModelVersion, status: JobStatus
) -> None:
    job = make_job(make_study(clinician, model_version), model_version, status)
    before = row(job)
    response = override(browser, job, reason=REASON)
    assert response.status_code == 409
    assert "does not wait for anybody's word" in text(response)
    assert row(job) == before


def test_an_outsider_cannot_override_nor_tell_the_image_from_none(outsider: User, refused: Job) -> None:
    before = row(refused)
    assert override(browser_of(outsider), refused, reason=REASON).status_code == 404
    assert row(refused) == before


def test_who_lacks_the_right_does_not_override(browser: Client, auditor: User, refused: Job) -> None:
    take("override_refusal")
    before = row(refused)
    assert override(browser, refused, reason=REASON).status_code == 403
    assert override(browser_of(auditor), refused, reason=REASON).status_code == 403
    assert row(refused) == before


def test_an_image_is_read_again_with_the_model_that_was_chosen(
    browser: Client,
    done: Job,
    xception: ModelVersion,
    doorbell: Doorbell,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = read_again(browser, done)
    study_url = reverse("study", args=[done.image.study_id])
    assert (response.status_code, response["Location"]) == (302, f"{study_url}#image-0")
    job = Job.objects.get(model_version=xception)
    assert (job.image_id, job.purpose, job.status) == (done.image_id, Purpose.REREAD, JobStatus.QUEUED)
    assert last_event(AuditAction.READING_REQUESTED).actor_name == "clinician"
    assert doorbell.rings() == 1
    page = text(browser.get(response["Location"]))
    assert "Waiting" in page
    assert 'data-ended="false"' in page


@pytest.mark.parametrize("model", ["", "xception", "xception@9.9.9", "gone@1.0.0", "\0", "mobilenet_v2"])
def test_a_model_that_is_not_here_is_answered_with_400_and_words(
    browser: Client, done: Job, xception: ModelVersion, model: str
) -> None:
    make_model_version("gone", "1.0.0", available=False)
    response = read_again(browser, done, model)
    assert response.status_code == 400
    assert 'class="alert alert-danger" role="alert"' in text(response)
    assert Job.objects.count() == 1


def test_a_model_that_has_read_the_image_is_answered_with_409_and_words(browser: Client, done: Job) -> None:
    response = read_again(browser, done, "mobilenet_v2@1.0.0")
    assert response.status_code == 409
    assert "has read this image already" in text(response)
    assert Job.objects.count() == 1


def test_an_outsider_has_nothing_read_again(outsider: User, done: Job, xception: ModelVersion) -> None:
    assert read_again(browser_of(outsider), done).status_code == 404
    assert Job.objects.count() == 1


def test_who_may_not_send_has_nothing_read_again(
    browser: Client, auditor: User, done: Job, xception: ModelVersion
) -> None:
    take("add_study")
    assert read_again(browser, done).status_code == 403
    assert read_again(browser_of(auditor), done).status_code == 403
    assert Job.objects.count() == 1


@pytest.mark.parametrize("name", ["override", "read_again"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_asking_takes_a_post(browser: Client, refused: Job, name: str, method: str) -> None:
    url = reverse(name, args=[refused.pk if name == "override" else refused.image_id])
    assert browser.generic(method, url).status_code == 405
    assert row(refused)["status"] == JobStatus.REFUSED


@pytest.mark.parametrize("name", ["override", "read_again"])
def test_the_anonymous_are_led_to_the_sign_in_and_change_nothing(refused: Job, name: str) -> None:
    url = reverse(name, args=[refused.pk if name == "override" else refused.image_id])
    response = Client().post(url, {"reason": REASON, "model": "xception@1.0.0"})
    assert response["Location"].startswith("/sign-in/")
    assert row(refused)["status"] == JobStatus.REFUSED


def test_a_request_without_its_token_is_refused(clinician: User, refused: Job) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(clinician)
    assert override(strict, refused, reason=REASON).status_code == 403
    assert row(refused)["status"] == JobStatus.REFUSED


def test_a_page_that_says_what_went_wrong_is_on_record_as_seen(browser: Client, refused: Job) -> None:
    override(browser, refused, reason="")
    assert AuditEvent.objects.filter(action=AuditAction.STUDY_VIEWED).count() == 1
