"""What a worker has in hand: its leases are kept, what is next is decoded in time, and what is urgent goes before."""

from collections.abc import Callable, Sequence
from threading import Event
from typing import Any, NoReturn

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import OperationalError

from diagnoses.models import Job, ModelVersion, Study
from diagnoses.services.jobs import Claim, claim_jobs
from tests.diagnoses.factory import make_job, make_model_version, make_study
from tests.workers.test_drain import ToldReader, a_runtime, a_runtime_of, reading
from workers import batch as batches
from workers import hand as hands
from workers.batch import End, save
from workers.drain import drain
from workers.inference.reader import ReadRequest


@pytest.fixture
def study(model_version: ModelVersion) -> Study:
    return make_study(User.objects.create(username="sender"), model_version)


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[list[bytes]]:
    """Which files' ends were saved together."""
    together: list[list[bytes]] = []

    def noted(ends: Sequence[End]) -> None:
        together.append([_data(claim) for claim, _ in ends])
        save(ends)

    monkeypatch.setattr(hands, "save", noted)
    return together


def _data(claim: Claim) -> bytes:
    name: str = Job.objects.get(pk=claim.job_id).image.filename
    return name.encode()


def send(study: Study, version: ModelVersion, *names: str, urgent: bool = False) -> None:
    for name in names:
        make_job(study, version, data=name.encode(), filename=name, urgent=urgent)


def few_at_a_time(monkeypatch: pytest.MonkeyPatch, *, claimed: int, read: int) -> None:
    limits = {hands._CLAIMED_SECONDS: claimed, hands._READ_SECONDS: read}
    monkeypatch.setattr("workers.pace.Pace.limit", lambda _, seconds: limits[seconds])


def test_what_is_in_hand_is_kept_until_it_is_let_go(study: Study, model_version: ModelVersion) -> None:
    runtime = a_runtime(model_version, ToldReader())
    send(study, model_version, "one", "two")
    one, two = claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=2)
    runtime.hold([one])
    since = runtime.busy_since
    runtime.hold([two])
    assert list(runtime.held) == [one, two]
    assert runtime.busy_since == since
    runtime.let_go([one])
    assert list(runtime.held) == [two]
    assert since is not None
    assert runtime.busy_since is not None
    assert runtime.busy_since >= since
    runtime.let_go([two])
    assert not runtime.held
    assert runtime.busy_since is None


def test_nothing_in_hand_is_no_work(model_version: ModelVersion) -> None:
    runtime = a_runtime(model_version, ToldReader())
    runtime.hold([])
    assert runtime.busy_since is None


def test_what_was_claimed_together_is_read_few_at_a_time_and_saved_together(
    study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch, saved: list[list[bytes]]
) -> None:
    few_at_a_time(monkeypatch, claimed=5, read=2)
    send(study, model_version, *"abcde")
    reader = ToldReader()
    assert drain(a_runtime(model_version, reader)) == 5
    assert reader.batches == [[b"a", b"b"], [b"c", b"d"], [b"e"]]
    assert saved == [[*(name.encode() for name in "abcde")]]


def test_what_comes_in_urgent_is_next_and_is_saved_before_anything_else_is_begun(
    study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch, saved: list[list[bytes]]
) -> None:
    few_at_a_time(monkeypatch, claimed=5, read=1)
    send(study, model_version, *"abcde")
    reader = ToldReader()
    begun: list[list[bytes]] = []

    def prepare(requests: Sequence[ReadRequest]) -> Sequence[ReadRequest]:
        begun.append([request.data for request in requests])
        if requests[0].data == b"b":
            send(study, model_version, "urgent", urgent=True)
        return requests

    reader.prepare = prepare  # type: ignore[method-assign]
    assert drain(a_runtime(model_version, reader)) == 6
    assert begun == [[b"a"], [b"b"], [b"urgent"], [b"c"], [b"d"], [b"e"]]
    assert saved == [[b"a", b"b", b"urgent"], [b"c", b"d", b"e"]]


def test_urgent_ones_go_side_by_side_with_one_another(
    study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch, saved: list[list[bytes]]
) -> None:
    few_at_a_time(monkeypatch, claimed=3, read=1)
    send(study, model_version, *"abc", urgent=True)
    drain(a_runtime(model_version, ToldReader()))
    assert saved == [[b"a", b"b", b"c"]]


def test_no_answer_waits_for_one_that_may_take_a_minute(
    study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch, saved: list[list[bytes]]
) -> None:
    monkeypatch.setattr(batches, "read_alone", lambda _, request, seconds: reading(request.data))
    few_at_a_time(monkeypatch, claimed=5, read=1)
    for name in ("suspect", "another"):
        make_job(study, model_version, data=name.encode(), filename=name, attempts=1)
    send(study, model_version, *"ab")
    assert drain(a_runtime(model_version, ToldReader())) == 4
    assert saved == [[b"suspect"], [b"another", b"a", b"b"]]


def test_what_is_in_hand_is_read_to_its_end_though_no_more_can_be_claimed(
    study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch, saved: list[list[bytes]]
) -> None:
    few_at_a_time(monkeypatch, claimed=3, read=1)
    send(study, model_version, *"abc")
    answers: list[Callable[..., list[Claim]]] = [claim_jobs, _away]

    def claim_or_not(**asked: Any) -> list[Claim]:
        return answers.pop(0)(**asked)

    monkeypatch.setattr("workers.hand.job_services.claim_jobs", claim_or_not)
    runtime = a_runtime(model_version, ToldReader())
    with pytest.raises(OperationalError):
        drain(runtime)
    assert saved == [[b"a", b"b", b"c"]]
    assert not runtime.held


def _away(**_: object) -> NoReturn:
    raise OperationalError("statement timeout")


def test_an_urgent_one_for_another_model_does_not_wait_for_the_rest_either(
    study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch, saved: list[list[bytes]]
) -> None:
    few_at_a_time(monkeypatch, claimed=3, read=1)
    other = make_model_version(name="xception")
    send(study, model_version, *"abc")
    readers = {model_version: ToldReader(), other: ToldReader()}

    def prepare(requests: Sequence[ReadRequest]) -> Sequence[ReadRequest]:
        if requests[0].data == b"a":
            send(study, other, "urgent", urgent=True)
        return requests

    readers[model_version].prepare = prepare  # type: ignore[method-assign]
    assert drain(a_runtime_of(readers)) == 4
    assert readers[other].batches == [[b"urgent"]]
    assert saved == [[b"a", b"urgent"], [b"b", b"c"]]


def test_the_next_batch_is_claimed_and_decoded_while_one_is_on_the_engine(
    study: Study, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_BATCH_SIZE = 1
    reader = ToldReader()
    prepared = [Event(), Event()]
    came_in_time: list[bool] = []

    def prepare(requests: Sequence[ReadRequest]) -> Sequence[ReadRequest]:
        prepared[int(requests[0].data)].set()
        return requests

    reader.prepare = prepare  # type: ignore[method-assign]
    reader.meanwhile = lambda: came_in_time.append(prepared[1].wait(20))
    for number in range(2):
        make_job(study, model_version, data=str(number).encode())
    assert drain(a_runtime(model_version, reader)) == 2
    assert came_in_time == [True, True]
