"""A study that the API is asked for with `?wait=`: the answer comes when there is one, or when the time is over."""

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from diagnoses.audit import Actor
from diagnoses.models import ApiToken, AuditEvent, Job, ModelVersion, Study
from diagnoses.models.audit import AuditAction
from diagnoses.notices import Following
from diagnoses.selectors import following as following_module
from diagnoses.selectors.following import Pace, study_state_once_ended
from diagnoses.selectors.studies import StudyState
from diagnoses.selectors.viewers import Viewer
from diagnoses.services.tokens import revoke_tokens_of
from diagnoses.states import JobStatus
from tests.conftest import api_of
from tests.diagnoses.claiming import complete_job
from tests.diagnoses.factory import claim_of, make_study, outcome
from tests.diagnoses.noticing import send_notice
from tests.threads import in_a_thread

LONG = 30
"""Seconds, the longest wait there is. What answers in half of it has not waited for its end."""


@pytest.fixture
def running_study(clinician: User, model_version: ModelVersion) -> Study:
    return make_study(clinician, model_version, JobStatus.RUNNING)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Have something done once, between the first look and the wait, which no look without a notice ends.

    It takes the place of giving the connection back: here it is the test's own, with the rows of the test.
    """
    acts: list[Callable[[], object]] = []
    monkeypatch.setattr(following_module, "LOOK_ANYWAY_SECONDS", 60.0)
    monkeypatch.setattr(following_module, "close_old_connections", lambda: acts and acts.pop()())
    return acts.append


def ask(api: APIClient, study: Study, wait: str | float) -> Any:
    return api.get(f"/api/v1/studies/{study.pk}/", {"wait": wait})


def statuses(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [image["status"] for image in response.json()["images"]]


def test_an_answer_between_look_and_wait_ends_the_wait_long_before_its_time_is_over(
    api: APIClient, running_study: Study, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    def read() -> None:
        assert complete_job(claim=claim_of(Job.objects.get()), outcome=outcome())
        send_notice(running_study.pk)

    meanwhile(read)
    started = time.monotonic()
    assert statuses(ask(api, running_study, LONG)) == ["done"]
    assert time.monotonic() - started < LONG / 2


def test_a_notice_of_what_is_no_end_does_not_end_the_wait(
    api: APIClient, running_study: Study, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    looks = 0

    def note() -> None:
        nonlocal looks
        looks += 1
        if looks < 3:
            meanwhile(note)
            send_notice(running_study.pk)
        else:
            Job.objects.update(status=JobStatus.FAILED, lease_until=None, error_code="x", error_message="y")
            send_notice(running_study.pk)

    meanwhile(note)
    assert statuses(ask(api, running_study, LONG)) == ["failed"]
    assert looks == 3


def _deactivated(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def _revoked(user: User) -> None:
    assert revoke_tokens_of(actor=Actor(None, ""), user=user) == 1


def _expired(user: User) -> None:
    ApiToken.objects.filter(user=user).update(expires_at=timezone.now())


@pytest.mark.parametrize("end", [_deactivated, _revoked, _expired])
def test_who_is_let_in_no_more_during_the_wait_gets_401_and_not_the_answer(
    clinician: User,
    running_study: Study,
    meanwhile: Callable[[Callable[[], object]], None],
    end: Callable[[User], None],
) -> None:
    api = api_of(clinician)

    def act() -> None:
        end(clinician)
        assert complete_job(claim=claim_of(Job.objects.get()), outcome=outcome())
        send_notice(running_study.pk)

    meanwhile(act)
    response = ask(api, running_study, LONG)
    assert response.status_code == 401
    assert set(response.json()) == {"detail"}
    assert not AuditEvent.objects.filter(action=AuditAction.STUDY_VIEWED).exists()


def test_a_radiologist_who_loses_the_role_during_the_wait_gets_404_and_not_the_answer(
    radiologist: User, running_study: Study, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    def act() -> None:
        radiologist.groups.clear()
        assert complete_job(claim=claim_of(Job.objects.get()), outcome=outcome())
        send_notice(running_study.pk)

    meanwhile(act)
    assert ask(api_of(radiologist), running_study, LONG).status_code == 404


@pytest.mark.usefixtures("meanwhile")
@pytest.mark.parametrize("wait", ["0", "0.05", "5e-2"])
def test_a_study_that_has_not_ended_is_given_as_it_stands_when_the_time_is_over(
    api: APIClient, running_study: Study, wait: str
) -> None:
    assert statuses(ask(api, running_study, wait)) == ["running"]


def test_a_study_that_has_ended_is_answered_at_once(
    api: APIClient, done_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Following, "wait", lambda *_: pytest.fail("it waited"))
    assert statuses(ask(api, done_study, LONG)) == ["done"]


def test_an_outsiders_wait_is_404_at_once(
    outsider: User, running_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Following, "wait", lambda *_: pytest.fail("it waited"))
    response = ask(api_of(outsider), running_study, LONG)
    assert response.status_code == 404
    assert not AuditEvent.objects.filter(action=AuditAction.STUDY_VIEWED).exists()


@pytest.mark.parametrize("wait", ["-1", "30.1", "1000", "nan", "inf", "soon", ""])
def test_a_wrong_time_is_refused_with_words(api: APIClient, done_study: Study, wait: str) -> None:
    response = ask(api, done_study, wait)
    assert response.status_code == 400
    assert response.json() == {"wait": ["Give a number of seconds from 0 to 30."]}


@pytest.mark.usefixtures("meanwhile")
def test_a_request_is_on_record_once_however_often_it_looked(api: APIClient, running_study: Study) -> None:
    ask(api, running_study, 0.05)
    assert AuditEvent.objects.filter(action=AuditAction.STUDY_VIEWED).count() == 1


@pytest.mark.django_db
def test_who_waits_holds_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(user: Viewer, study_id: uuid.UUID) -> StudyState:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return StudyState(Study(pk=study_id), [])

    held: list[bool] = []
    monkeypatch.setattr(following_module, "study_state", look)
    monkeypatch.setattr(StudyState, "ended", property(lambda _: len(held) == 2))
    monkeypatch.setattr(Following, "wait", lambda *_: held.append(connection.connection is not None))
    in_a_thread(lambda: _discard(study_state_once_ended(User(), uuid.uuid4(), LONG, look_as=User)))
    assert held == [False, False]


def _discard(_: object) -> None:
    """What a thread's function gives back."""


def test_a_few_looks_cost_no_pause_and_many_are_ten_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pace = Pace()
    times = []
    for _ in range(25):
        now += pace.pause_seconds()
        times.append(now)
    assert times == [100.0] * 10 + [101.0] * 10 + [102.0] * 5


def test_the_document_names_the_wait_and_its_limits(api: APIClient) -> None:
    parameters = api.get("/api/v1/schema/?format=json").json()["paths"]["/api/v1/studies/{study_id}/"]["get"]
    [wait] = [parameter for parameter in parameters["parameters"] if parameter["name"] == "wait"]
    assert wait["in"] == "query"
    assert wait["schema"] == {"type": "number", "minimum": 0, "maximum": LONG, "default": 0}


def test_however_many_wait_few_look_at_once(clinician: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look takes a connection, and one notice may wake all who follow a study."""
    looking: list[int] = []
    together = threading.Barrier(8)

    def look(user: Viewer, study_id: uuid.UUID) -> StudyState:
        looking.append(1)
        together.wait(LONG / 2)  # full once eight look
        seen.append(len(looking))
        together.wait(LONG / 2)  # until all eight have counted
        looking.pop()
        together.wait(LONG / 2)
        return StudyState(Study(), [])

    def waited(user: User) -> StudyState:
        return study_state_once_ended(user, uuid.uuid4(), LONG, look_as=lambda: user)

    seen: list[int] = []
    monkeypatch.setattr(following_module, "study_state", look)
    with ThreadPoolExecutor(24) as threads:
        list(threads.map(lambda _: waited(clinician), range(24)))
    assert seen == [8] * 24
