"""Notices of changes: whom they wake, that none is missed, and that nothing stands on them."""

import asyncio
import uuid
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from diagnoses import audit, notices
from diagnoses.models import Job, ModelVersion
from diagnoses.notices import following, following_async
from diagnoses.services.registry import report_worker
from diagnoses.services.rereading import request_reread
from diagnoses.services.retrying import retry_job
from diagnoses.states import JobStatus
from tests.diagnoses.claiming import claim, complete_job, lose
from tests.diagnoses.factory import claim_of, make_job, make_study, outcome, queries_of
from tests.diagnoses.noticing import cut_the_listener, send_notice
from tests.integration.site import wait_until

SECONDS = 20


@pytest.fixture
def study_id() -> uuid.UUID:
    return uuid.uuid4()


@pytest.fixture
def _listening(db: None) -> None:
    """The listener has its connection, and wakes nobody any more for having got it."""
    study = uuid.uuid4()

    def hears() -> bool:
        send_notice(study)
        return changes.wait(0.1)

    with following(study) as changes:
        wait_until(hears, SECONDS, "the listener hears a notice")


@pytest.mark.usefixtures("_listening")
def test_a_notice_wakes_all_who_follow_the_study_and_nobody_else(study_id: uuid.UUID) -> None:
    with following(uuid.uuid4()) as other, following(study_id) as first, following(study_id) as second:
        send_notice(study_id)
        assert first.wait(SECONDS)
        assert second.wait(SECONDS)
        assert not other.wait(0)


@pytest.mark.usefixtures("_listening")
def test_a_notice_that_comes_before_the_wait_ends_it_and_only_it(study_id: uuid.UUID) -> None:
    with following(study_id) as looking, following(study_id) as waiting:
        send_notice(study_id)
        assert waiting.wait(SECONDS)
        assert looking.wait(0)
        assert not looking.wait(0)


@pytest.mark.usefixtures("_listening")
def test_an_event_loop_goes_on_while_it_waits_for_a_notice(study_id: uuid.UUID) -> None:
    async def follow() -> list[bool]:
        async with asyncio.timeout(SECONDS):
            with following_async(study_id) as first, following_async(study_id) as second:
                waits = asyncio.gather(first.wait(60), second.wait(60))
                await asyncio.to_thread(send_notice, study_id)
                return [*await waits, await first.wait(0)]

    assert asyncio.run(follow()) == [True, True, False]


@pytest.mark.usefixtures("_listening")
def test_waiting_goes_on_after_the_listeners_connection_was_cut(
    study_id: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_PAUSE_SECONDS", 0.01)
    with following(study_id) as changes:
        cut_the_listener()
        assert changes.wait(SECONDS), "something may have been missed meanwhile"
        send_notice(study_id)
        assert changes.wait(SECONDS)


@pytest.mark.usefixtures("_listening")
def test_whoever_does_not_wait_any_more_is_forgotten(study_id: uuid.UUID) -> None:
    async def be_cancelled() -> None:
        with following_async(study_id) as changes:
            task = asyncio.current_task()
            assert task
            asyncio.get_running_loop().call_soon(task.cancel)
            await changes.wait(60)

    with pytest.raises(ZeroDivisionError), following(study_id), following(study_id):
        raise ZeroDivisionError
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(be_cancelled())
    assert not notices._listener._wakes


@pytest.mark.usefixtures("_listening")
def test_a_loop_that_was_closed_keeps_no_notice_from_others(study_id: uuid.UUID) -> None:
    async def leave() -> notices.AsyncFollowing:
        return notices.AsyncFollowing()

    closed = asyncio.run(leave())
    with notices._listener.waking(study_id, closed.wake), following(study_id) as changes:
        send_notice(study_id)
        assert changes.wait(SECONDS)


def test_a_batch_gives_notice_of_its_studies_in_one_statement(clinician: User, model_version: ModelVersion) -> None:
    for _ in range(3):
        make_study(clinician, model_version, JobStatus.QUEUED, JobStatus.QUEUED)
    assert _notices_sent(lambda: claim(model_version)) == 1


@pytest.mark.parametrize("change", ["claim", "complete", "lose", "retry", "reread"])
def test_every_change_of_a_studys_readings_gives_notice(
    change: str, clinician: User, model_version: ModelVersion, xception: ModelVersion
) -> None:
    starts = {"claim": JobStatus.QUEUED, "retry": JobStatus.FAILED, "reread": JobStatus.DONE}
    job = make_job(make_study(clinician, model_version), model_version, starts.get(change, JobStatus.RUNNING))
    report_worker(name="reader-1", model_versions=[model_version, xception], engine="openvino")
    actor = audit.user_actor(clinician)
    acts: dict[str, Callable[[], object]] = {
        "claim": lambda: claim(model_version),
        "complete": lambda: complete_job(claim=claim_of(job), outcome=outcome()),
        "lose": lambda: lose(job),
        "retry": lambda: retry_job(job=job, actor=actor, reason="Again."),
        "reread": lambda: request_reread(actor=actor, image=job.image, model_version=xception),
    }
    assert _notices_sent(acts[change]) == 1


def test_what_changes_nothing_gives_no_notice(clinician: User, model_version: ModelVersion) -> None:
    make_study(clinician, model_version, JobStatus.DONE)
    job = Job.objects.get()
    assert _notices_sent(lambda: complete_job(claim=claim_of(job), outcome=outcome())) == 0
    assert _notices_sent(lambda: claim(model_version)) == 0


def _notices_sent(act: Callable[[], object]) -> int:
    return sum("pg_notify" in statement for statement in queries_of(act))
