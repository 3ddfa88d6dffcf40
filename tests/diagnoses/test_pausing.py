"""Pausing the AI: nothing is taken up, everything else goes on, and everybody knows."""

from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from diagnoses.audit import user_actor
from diagnoses.models import Job, ModelVersion, PauseChange, Result, Study
from diagnoses.models.audit import AuditAction
from diagnoses.selectors import pausing
from diagnoses.selectors.studies import study_state
from diagnoses.selectors.waiting import waiting_of
from diagnoses.services.jobs import claim_jobs, is_overdue
from diagnoses.services.pausing import PauseError, pause_ai, resume_ai
from diagnoses.services.recovery import reconcile
from diagnoses.services.registry import report_worker
from diagnoses.states import JobStatus
from tests.diagnoses.conftest import Doorbell, browser_of
from tests.diagnoses.factory import last_event, make_study, queries_of
from tests.diagnoses.signing import image_of, post


@pytest.fixture
def paused(administrator: User) -> PauseChange:
    return change(pause_ai, administrator, "The heatmaps look wrong")


def change(act: object, user: User, reason: str) -> PauseChange:
    changed: PauseChange = act(actor=user_actor(user), reason=reason)  # type: ignore[operator]
    pausing.forget()  # as the commit does, which a test has none of
    return changed


def take(version: ModelVersion) -> int:
    return len(claim_jobs(worker_name="reader-1", model_versions=[version], limit=9))


def long_ago() -> None:
    past = timezone.now() - timedelta(minutes=5)
    Job.objects.update(ready_at=past, rung_at=past)


def test_nothing_is_claimed_overdue_or_rung_for_while_it_is_paused(
    clinician: User, administrator: User, model_version: ModelVersion, paused: PauseChange, doorbell: Doorbell
) -> None:
    make_study(clinician, model_version, JobStatus.QUEUED, JobStatus.QUEUED)
    long_ago()
    assert take(model_version) == 0
    assert not is_overdue([model_version], 5)
    assert reconcile().rung == 0
    change(resume_ai, administrator, "It was a display setting")
    assert is_overdue([model_version], 5)
    assert reconcile().rung == 2
    assert take(model_version) == 2


def test_a_lost_job_is_put_back_into_the_queue_and_waits_there(
    clinician: User, model_version: ModelVersion, paused: PauseChange
) -> None:
    make_study(clinician, model_version, JobStatus.RUNNING)
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert reconcile().recovered == 1
    assert take(model_version) == 0


def test_going_on_rings_for_what_has_waited(
    administrator: User, paused: PauseChange, doorbell: Doorbell, django_capture_on_commit_callbacks: object
) -> None:
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        change(resume_ai, administrator, "Settled")
    assert doorbell.rings() == 1


def test_the_look_for_a_pause_costs_a_claim_no_statement(model_version: ModelVersion) -> None:
    statements = queries_of(lambda: take(model_version))
    assert sum("diagnoses_pausechange" in statement for statement in statements) == 1
    assert all("diagnoses_job" in statement for statement in statements if "pausechange" in statement)


def test_every_page_says_since_when_by_whom_and_why_and_no_page_once_it_goes_on(
    browser: Client, administrator: User, paused: PauseChange
) -> None:
    for name in ("send", "history", "models", "preferences", "agreement"):
        page = unescape(browser.get(reverse(name)).content.decode())
        assert "by administrator." in page, name
        assert "“The heatmaps look wrong”" in page
    assert "heatmaps look wrong" not in Client().get(reverse("sign_in")).content.decode()
    change(resume_ai, administrator, "Settled")
    assert 'id="paused"' not in browser.get(reverse("send")).content.decode()


def test_studies_are_shown_and_read_by_people_meanwhile_and_old_answers_are_marked(
    browser: Client, clinician: User, model_version: ModelVersion, done_study: Study, administrator: User
) -> None:
    mark = "Given before the AI was paused."
    url = reverse("study", args=[done_study.pk])
    assert mark not in browser.get(url).content.decode()
    Result.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    change(pause_ai, administrator, "Look at it")
    assert mark in browser.get(url).content.decode()
    waiting = make_study(clinician, model_version, JobStatus.QUEUED)
    page = browser.get(reverse("study", args=[waiting.pk])).content.decode()
    assert "The AI is paused: what waits is read once it goes on." in page
    assert "No reader is running" not in page
    assert post(browser, image_of(waiting), finding="NORMAL").status_code == 302


def test_no_time_is_promised_while_it_is_paused(
    clinician: User, model_version: ModelVersion, paused: PauseChange
) -> None:
    study = make_study(clinician, model_version, JobStatus.QUEUED)
    waiting = waiting_of(study_state(clinician, study.pk))
    assert waiting is not None
    assert waiting.seconds is None


def test_a_paused_site_is_ready(browser: Client, model_version: ModelVersion, paused: PauseChange) -> None:
    report_worker(name="reader-1", model_versions=[model_version], engine="openvino")
    assert browser.get(reverse("readyz")).status_code == 200


def test_an_administrator_pulls_the_switch_on_record(administrator: User) -> None:
    browser = browser_of(administrator)
    url = reverse("pause")
    assert "It has never been paused." in browser.get(url).content.decode()
    assert f'href="{url}"' in browser.get(reverse("preferences")).content.decode()
    assert browser.post(url, {"paused": "yes", "reason": " Drift "}).status_code == 302
    assert last_event(AuditAction.AI_PAUSED).detail == {"reason": "Drift"}
    again = browser.post(url, {"paused": "yes", "reason": "Drift, I said"})
    assert again.status_code == 409
    assert "paused already, by administrator" in again.content.decode()
    assert browser.post(url, {"paused": "no", "reason": "Retrained"}).status_code == 302
    assert last_event(AuditAction.AI_RESUMED).actor_name == "administrator"
    assert [(row.paused, row.reason) for row in PauseChange.objects.all()] == [(False, "Retrained"), (True, "Drift")]


@pytest.mark.parametrize("said", [{"paused": "yes"}, {"paused": "yes", "reason": "  "}, {"reason": "Why"}, {}])
def test_without_a_reason_nothing_is_paused(administrator: User, said: dict[str, str]) -> None:
    assert browser_of(administrator).post(reverse("pause"), said).status_code == 400
    assert not PauseChange.objects.exists()
    with pytest.raises(PauseError, match="Say why"):
        pause_ai(actor=user_actor(administrator), reason=" ")


def test_what_is_not_paused_cannot_go_on(administrator: User) -> None:
    with pytest.raises(PauseError, match="not paused any more"):
        resume_ai(actor=user_actor(administrator), reason="Nothing")


def test_nobody_else_finds_the_switch(browser: Client, outsider: User, auditor: User) -> None:
    for client in (browser, browser_of(outsider), browser_of(auditor)):
        assert client.get(reverse("pause")).status_code == 403
        assert client.post(reverse("pause"), {"paused": "yes", "reason": "Mine"}).status_code == 403
        assert f'href="{reverse("pause")}"' not in client.get(reverse("preferences")).content.decode()
    assert not PauseChange.objects.exists()


@pytest.mark.parametrize(
    "statement", ["UPDATE diagnoses_pausechange SET paused = false", "DELETE FROM diagnoses_pausechange"]
)
def test_the_database_refuses_to_change_or_remove_a_pause(paused: PauseChange, statement: str) -> None:
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        cursor.execute(statement)
