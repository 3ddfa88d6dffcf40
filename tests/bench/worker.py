"""What runs in the benches' own worker processes: the only place here that knows the drain, its runtime and the rows.

A process says `serve` once Django is set up. Each line that it reads is an order, one of `ORDERS`, and each line that
it writes the answer, both in JSON.
"""

import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import psutil
from django.conf import settings
from django.contrib.auth.models import User
from django.db import close_old_connections, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from diagnoses import audit, storage
from diagnoses.imaging import heatmap
from diagnoses.models import Image, Job, ModelVersion, Study
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.registry import live_model_version
from diagnoses.services import anchoring
from diagnoses.services.patients import patient_for
from tests.bench.record_worker import fill_record, go_through_record, look_at_record
from workers import runtime as product_runtime
from workers.drain import drain
from workers.inference.reader import Reading, ReadRequest
from workers.pace import Pace
from workers.runtime import Runtime

_PER_STUDY = 20
_HEATMAP = heatmap.encode(np.zeros((7, 7), np.float32), 0.1)


class Stopwatch:
    """How long this process has waited for the database: statements and commits, on the connections of all threads."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = Lock()
        connection_created.connect(self._watch)

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        """Django's wrapper of a statement."""
        return self._timed(execute)(*arguments)

    def _watch(self, connection: BaseDatabaseWrapper, **_: Any) -> None:
        if self in connection.execute_wrappers:
            return  # the same connection, opened anew
        connection.execute_wrappers.append(self)
        connection._commit = self._timed(connection._commit)  # type: ignore[attr-defined]

    def _timed(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            started = time.perf_counter()
            try:
                return act(*arguments)
            finally:
                with self._lock:
                    self.seconds += time.perf_counter() - started

        return timed


class WaitingReader:
    """Decodes nothing, and answers a batch after so many seconds without work."""

    engine = "none"

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds

    def prepare(self, requests: Sequence[ReadRequest]) -> Sequence[ReadRequest]:
        return requests

    def read_prepared(self, prepared: Sequence[ReadRequest]) -> list[Reading]:
        time.sleep(self._wait_seconds)
        return [_reading(request.data) for request in prepared]


def _reading(data: bytes) -> Reading:
    return Reading(
        label="NORMAL",
        score=-2.0,
        probability=0.12,
        indeterminate_reason="",
        warnings=(),
        image_sha256=sha256(data).hexdigest(),
        heatmap=_HEATMAP,
        heatmap_peak=0.5,
        timings_ms={"decode": 1.0, "engine": 2.0},
    )


class WaitingRuntime(Runtime):
    """A worker's process without a network in it, that reports to nobody."""

    def __init__(self, wait_seconds: float) -> None:
        version = _live()
        self.worker_name = f"bench:{os.getpid()}:{secrets.token_hex(4)}"
        self.model_versions = [version]
        self.readers = {version.pk: WaitingReader(wait_seconds)}  # type: ignore[dict-item]
        self.working, self.busy_since, self.held, self.pace = Lock(), None, (), Pace()


def seed(paths: Sequence[str], count: int) -> int:
    """Queue so many jobs in studies of twenty, on the files at `paths` over and over; each image has its own name."""
    user, _ = User.objects.get_or_create(username="sender")
    version = _live()
    hashes = [sha256(Path(path).read_bytes()).hexdigest() for path in paths]
    studies = Study.objects.bulk_create(
        Study(submitted_by=user, subject=patient_for("")) for _ in range(-(-count // _PER_STUDY))
    )
    images = [
        Image(
            study=studies[number // _PER_STUDY],
            position=number % _PER_STUDY,
            filename="file",
            kind="png",
            byte_size=1,
            sha256=hashes[number % len(paths)],
            width=1,
            height=1,
            stored_name=_linked(paths[number % len(paths)]),
        )
        for number in range(count)
    ]
    Image.objects.bulk_create(images, batch_size=1000)
    Job.objects.bulk_create([Job(image=image, model_version=version) for image in images], batch_size=1000)
    return count


def _linked(path: str) -> str:
    """Another name for a file, in storage."""
    name = storage.new_original_name()
    target = Path(settings.MEDIA_ROOT) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(path, target)
    return name


def finish_all(wait_seconds: float) -> dict[str, float]:
    """Take and finish jobs until none is queued: how many, from when to when, and how long the database took."""
    runtime = WaitingRuntime(wait_seconds)
    before, started = _stopwatch().seconds, time.monotonic()
    jobs = _drain_all(runtime)
    ended = time.monotonic()
    return {"jobs": jobs, "started": started, "ended": ended, "database_seconds": _stopwatch().seconds - before}


def read_all() -> int:
    """The same with the product's own runtime, models and all."""
    return _drain_all(product_runtime.current())


def _drain_all(runtime: Runtime) -> int:
    jobs = 0
    while taken := drain(runtime):
        jobs += taken
    return jobs


def own_megabytes() -> float:
    """The memory that is this process's alone."""
    return float(psutil.Process().memory_full_info().uss) / 2**20


def unfinished() -> int:
    """How many of all jobs have no result."""
    return Job.objects.filter(result=None).count()


def _live() -> ModelVersion:
    version = live_model_version()
    assert version
    return version


@cache
def _stopwatch() -> Stopwatch:
    return Stopwatch()


def put_on_record(seconds: float, chained: bool) -> int:
    """Record one event after the other, each in a transaction of its own; how many were committed in that time."""
    with connection.cursor() as cursor:
        # As a superuser alone can: this session's triggers, and with them the chain, are left out.
        cursor.execute(f"SET session_replication_role = {'origin' if chained else 'replica'}")
    actor = audit.Actor(None, "writer", "192.0.2.1")
    count, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        audit.record(AuditAction.WORKLIST_VIEWED, actor, found=25)
        count += 1
    return count


def keep_sealing(seconds: float) -> int:
    """Seal the audit's chain each second, as the scheduler does; how many events were sealed."""
    sealed, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        sealed += anchoring.seal()
        time.sleep(1)
    return sealed


ORDERS: dict[str, Callable[..., Any]] = {
    act.__name__: act
    for act in (
        seed,
        finish_all,
        read_all,
        own_megabytes,
        unfinished,
        put_on_record,
        keep_sealing,
        fill_record,
        look_at_record,
        go_through_record,
    )
}


def serve() -> None:
    """Do what each line says, until there are no more."""
    _stopwatch()
    for line in sys.stdin:
        said = json.loads(line)
        print(json.dumps(ORDERS[said["order"]](**said["arguments"])), flush=True)
        close_old_connections()  # as after each of Celery's tasks
    product_runtime.shut_down()
