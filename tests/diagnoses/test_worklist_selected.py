"""What is done with several studies at once, and urgency as the service changes it."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from diagnoses import audit
from diagnoses.models import AuditEvent, Job, ModelVersion, Study
from diagnoses.models.audit import AuditAction
from diagnoses.services.registry import report_worker
from diagnoses.services.urgency import set_urgency
from diagnoses.states import JobStatus
from tests.diagnoses.claiming import claim
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import last_event, make_study


def post(client: Client, act: str, *studies: Study, **fields: Any) -> Any:
    return client.post(
        reverse("worklist_selected"), {"do": act, "study": [str(study.pk) for study in studies], **fields}, follow=True
    )


def test_marking_urgent_puts_what_waits_first(
    browser: Client, clinician: User, model_version: ModelVersion, django_capture_on_commit_callbacks: Any
) -> None:
    make_study(clinician, model_version, JobStatus.QUEUED)
    later = make_study(clinician, model_version, JobStatus.QUEUED, JobStatus.DONE)
    with django_capture_on_commit_callbacks(execute=True):
        response = post(browser, "urgent", later, query="read=all")
    assert "1 study is urgent now." in response.content.decode()
    assert response.redirect_chain[-1][0] == "/?read=all"
    assert claim(model_version, limit=1)[0].job_id == Job.objects.get(image__study=later, urgent=True).pk
    event = last_event(AuditAction.URGENCY_CHANGED)
    assert (event.actor_id, event.object_id, event.detail) == (clinician.pk, str(later.pk), {"urgent": True})


def test_what_is_urgent_already_is_not_changed_again(clinician: User, model_version: ModelVersion) -> None:
    study = make_study(clinician, model_version, JobStatus.QUEUED, urgent=True)
    actor = audit.user_actor(clinician)
    assert set_urgency(actor=actor, studies=[study], urgent=True) == 0
    assert not AuditEvent.objects.filter(action=AuditAction.URGENCY_CHANGED).exists()
    assert set_urgency(actor=actor, studies=[study], urgent=False) == 1
    study.refresh_from_db()
    assert not study.urgent
    assert not Job.objects.get().urgent


def test_an_outsider_changes_nothing_and_a_radiologist_does(
    outsider: User, radiologist: User, done_study: Study
) -> None:
    assert "No study is selected" in post(browser_of(outsider), "urgent", done_study).content.decode()
    done_study.refresh_from_db()
    assert not done_study.urgent
    post(browser_of(radiologist), "urgent", done_study)
    done_study.refresh_from_db()
    assert done_study.urgent


def test_the_selected_are_read_again_with_the_chosen_model(
    browser: Client, done_study: Study, model_version: ModelVersion, xception: ModelVersion
) -> None:
    report_worker(name="reader-1", model_versions=[model_version, xception], engine="openvino")
    response = post(browser, "read_again", done_study, model="xception@1.0.0")
    assert "1 image is being read again." in response.content.decode()
    assert Job.objects.filter(model_version=xception, image__study=done_study).count() == 1
    again = post(browser, "read_again", done_study, model="xception@1.0.0").content.decode()
    assert 'alert-danger" role="alert"' in again


@pytest.mark.parametrize(
    ("act", "fields", "status"),
    [("burn", {}, 400), ("read_again", {"model": "nobody@1"}, 200), ("urgent", {"study": "no-study"}, 400)],
)
def test_what_cannot_be_done_is_said_and_not_done(
    act: str, fields: dict[str, str], status: int, browser: Client, done_study: Study
) -> None:
    response = post(browser, act, done_study, **fields)
    assert response.status_code == status
    done_study.refresh_from_db()
    assert not done_study.urgent
    assert Job.objects.count() == 1
