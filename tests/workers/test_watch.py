"""A worker's watch: it reads what nobody rang for, and ends the process where nothing else helps."""

import os
import signal
import threading
import time
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from billiard import get_context, pool
from celery.concurrency import asynpool
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError, connection
from django.db.models.functions import Now

from diagnoses import queue
from diagnoses.models import Job, ModelVersion, Study
from diagnoses.services import jobs as job_services
from diagnoses.states import JobStatus
from tests.diagnoses.factory import make_job, make_study
from tests.workers.test_drain import ToldReader, a_runtime
from workers import watch as watching
from workers.runtime import Runtime
from workers.watch import Watch

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(model_version: ModelVersion) -> Study:
    return make_study(User.objects.create(username="sender"), model_version)


@pytest.fixture
def runtime(model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.setattr(watching, "close_old_connections", lambda: None)
    return a_runtime(model_version, ToldReader())


@pytest.fixture
def watch(runtime: Runtime) -> Watch:
    return Watch(runtime)


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What was sent to which process, while Redis answers."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda process, number: sent.append((process, number)))
    monkeypatch.setattr(queue, "answers", lambda: True)
    return sent


def overdue(study: Study, model_version: ModelVersion) -> Job:
    return make_job(study, model_version, ready_at=Now() - timedelta(seconds=10))


def status(job: Job) -> str:
    return Job.objects.get(pk=job.pk).status


def test_a_job_that_nobody_rang_for_is_read(watch: Watch, study: Study, model_version: ModelVersion) -> None:
    job = overdue(study, model_version)
    watch._look_for_work()
    assert status(job) == JobStatus.DONE


def test_a_fresh_job_is_left_to_the_doorbell(watch: Watch, study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version)
    watch._look_for_work()
    assert status(job) == JobStatus.QUEUED


def test_a_lost_job_waits_for_its_time_here_too(watch: Watch, study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version, ready_at=Now() + timedelta(seconds=10))
    watch._look_for_work()
    assert status(job) == JobStatus.QUEUED


def test_while_the_process_reads_it_is_left_alone(
    watch: Watch, runtime: Runtime, study: Study, model_version: ModelVersion
) -> None:
    job = overdue(study, model_version)
    make_job(study, model_version, urgent=True)
    runtime.hold(job_services.claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1))
    watch._look_for_work()
    assert status(job) == JobStatus.QUEUED


def _rounds(watch: Watch, study: Study, model_version: ModelVersion, count: int) -> None:
    for _ in range(count):
        overdue(study, model_version)
        watch._look_for_work()


def test_a_worker_that_is_deaf_while_redis_answers_asks_to_be_started_again(
    watch: Watch, study: Study, model_version: ModelVersion, signals: list[tuple[int, int]]
) -> None:
    _rounds(watch, study, model_version, 5)
    assert signals == []
    _rounds(watch, study, model_version, 1)
    assert signals == [(os.getppid(), signal.SIGTERM)]
    assert not Job.objects.exclude(status=JobStatus.DONE).exists()


def test_while_redis_is_away_the_worker_stays_and_reads(
    watch: Watch,
    study: Study,
    model_version: ModelVersion,
    signals: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue, "answers", lambda: False)
    _rounds(watch, study, model_version, 10)
    assert signals == []
    assert not Job.objects.exclude(status=JobStatus.DONE).exists()


def test_a_worker_that_hears_the_doorbell_now_and_then_is_not_deaf(
    watch: Watch, study: Study, model_version: ModelVersion, signals: list[tuple[int, int]]
) -> None:
    for _ in range(4):
        _rounds(watch, study, model_version, 4)
        watch.heard()
    assert signals == []


@pytest.mark.parametrize("error", [OperationalError("connection refused"), InterfaceError("connection already closed")])
def test_a_database_that_is_away_is_looked_for_again(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def away(*_: object) -> bool:
        raise error

    monkeypatch.setattr(job_services, "is_overdue", away)
    monkeypatch.setattr(connection, "close", lambda: None)
    watch._look_for_work()
    assert str(error) in caplog.text


def test_a_stop_waits_for_the_end_of_what_is_being_read_and_lets_nothing_begin(watch: Watch, runtime: Runtime) -> None:
    order: list[str] = []
    reading = threading.Event()

    def read() -> None:
        with runtime.working:
            reading.set()
            watch._stopped.wait()
            order.append("read")

    reader = threading.Thread(target=read)
    reader.start()
    reading.wait()
    watch.stop()
    order.append("stopped")
    reader.join()
    assert order == ["read", "stopped"]
    assert runtime.working.locked()


def test_a_stop_does_not_wait_for_ever(watch: Watch, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_FINISH_SECONDS", 0.01)
    with runtime.working:
        watch.stop()


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    return left


def test_a_process_that_is_at_one_batch_for_too_long_ends_itself(
    watch: Watch, runtime: Runtime, exits: list[int], settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CXR_READING_SECONDS = 60
    watch._leave_if_stuck()
    runtime.busy_since = time.monotonic() - 59
    watch._leave_if_stuck()
    assert exits == []
    runtime.busy_since = time.monotonic() - 61
    watch._leave_if_stuck()
    assert exits == [70]
    assert "more than 60 s" in caplog.text


def test_a_child_that_ends_does_not_wait_half_a_minute_for_its_parent() -> None:
    import_module("workers.tasks")
    context = get_context()
    tasks, results = context.SimpleQueue(), context.SimpleQueue()
    child: Any = asynpool.Worker(tasks, results, maxtasks=1, on_ready_counter=context.Value("i"))
    child._make_child_methods()
    tasks.put((pool.TASK, (1, 0, int, (), {})))
    began = time.monotonic()
    assert child.workloop() == pool.EX_RECYCLE
    assert time.monotonic() - began < 5
    assert [results.get()[0] for _ in range(2)] == [pool.ACK, pool.READY]
