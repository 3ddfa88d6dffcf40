"""Processes are killed in the middle of their work. What was accepted is read all the same, and read once."""

import threading
from contextlib import ExitStack
from pathlib import Path

import data_store
import httpx
import psutil
import pytest

from tests.integration.books import GATE_WIDTH, PER_STUDY, Stream, worker_held
from tests.integration.hands import broken_models, kill, kill_redis_and_what_it_kept, stopped, wait_until_said
from tests.integration.site import ROOT, Site, ended_study, is_alive, post_study, wait_until

pytestmark = pytest.mark.alone

RADIOGRAPHS = Path(data_store.__file__).parent / "data"


@pytest.fixture
def stream(site: Site, client: httpx.Client) -> Stream:
    return Stream(site, client)


@pytest.mark.parametrize("whom", ["child", "parent", "parent and child"])
def test_a_worker_killed_in_the_middle_of_a_batch_loses_nothing_and_doubles_nothing(
    site: Site, stream: Stream, whom: str
) -> None:
    parent, child, before = site.worker, site.worker_child, site.output
    victims = {"child": [child], "parent": [parent], "parent and child": [parent, child]}[whom]
    left = psutil.Process(child)
    with worker_held(site, stream):
        stream.send(2)
        kill(*victims)
    stream.check()
    assert stream.statuses == [202] * 3
    assert len(stream.accepted) == 3 * PER_STUDY
    if whom != "child":  # a child's death is Celery's to see, and to mend
        wait_until_said(site, "The worker was killed by signal 9", before)
        wait_until_said(site, "Starting the worker again", before)
    assert not is_alive(left), "a child of the dead worker goes on"


def test_an_image_that_a_killed_worker_held_was_claimed_again_with_a_new_token(site: Site, stream: Stream) -> None:
    with worker_held(site, stream):
        kill(site.worker_child)
    stream.check()
    tokens = site.rows(
        "SELECT j.token FROM diagnoses_job j JOIN diagnoses_image i ON i.id = j.image_id "
        "JOIN diagnoses_study s ON s.id = i.study_id WHERE s.subject_id::text = %s AND i.width = %s",
        stream.pseudonym,
        GATE_WIDTH,
    )
    assert len(tokens) == 1
    assert tokens[0][0] >= 2


def test_a_worker_that_stood_still_cannot_save_its_answer_while_another_has_the_image_in_hand(
    site: Site, client: httpx.Client, tmp_path: Path
) -> None:
    data = (RADIOGRAPHS / "RG1_J2KR.dcm").read_bytes()  # takes long enough to decode to be caught in the act
    study = post_study(client, [("slow.dcm", data)]).json()["id"]
    [(job,)] = site.rows(
        "SELECT j.id::text FROM diagnoses_job j JOIN diagnoses_image i ON i.id = j.image_id WHERE i.study_id = %s",
        study,
    )
    holding = "SELECT worker_name FROM diagnoses_job WHERE id = %s AND token = %s AND status = 'running'"

    def holder(token: int) -> int:
        """The process that works on the image by its claim with this token; 0 where none does."""
        return next((int(name.split(":")[1]) for (name,) in site.rows(holding, job, token)), 0)

    first = wait_until(lambda: holder(1), 30, "the worker has the image in hand")
    with site.second_worker(tmp_path / "worker.log"):
        with ExitStack() as stack:
            with stopped(first):
                assert holder(1), "the worker was too fast to be stopped in the middle"
                second = wait_until(lambda: holder(2), 60, "another worker has the image in hand")
                stack.enter_context(stopped(second))
            dropped = f"Job {job} was taken over; the answer of claim 1 is dropped"
            log = site.var / "log" / "worker.log"
            wait_until(lambda: dropped in log.read_text(), 30, "the first worker drops its answer")
        [image] = ended_study(client, study, 60)["images"]
    assert image["status"] == "done"
    [(token, moves)] = site.rows(
        "SELECT token, (SELECT array_agg(t.move ORDER BY t.id) FROM diagnoses_jobtransition t WHERE t.job_id = j.id) "
        "FROM diagnoses_job j JOIN diagnoses_result r ON r.job_id = j.id WHERE j.id = %s",
        job,
    )
    assert token >= 2
    assert moves.count("complete") == 1


def test_what_the_web_server_accepted_before_it_was_killed_is_all_there(site: Site, stream: Stream) -> None:
    before = site.output
    stream.send(3)
    kill(site.web)
    wait_until_said(site, "The web server was killed by signal 9", before)
    stream.check()
    assert len(stream.accepted) == 3 * PER_STUDY
    site.wait_until_ready()


def test_a_web_server_killed_during_uploads_leaves_whole_studies_or_none(site: Site, stream: Stream) -> None:
    def send_until_it_breaks() -> None:
        try:
            while True:
                stream.send()
        except httpx.TransportError:
            pass

    sender = threading.Thread(target=send_until_it_breaks)
    sender.start()
    wait_until(lambda: len(stream.statuses) >= 2, 30, "two uploads are answered")
    kill(site.web)
    sender.join(60)
    assert not sender.is_alive()
    assert set(stream.statuses) == {202}
    site.wait_until_ready()
    stream.check()


def test_uploads_go_on_without_redis_and_are_read_once_it_comes_back_empty(site: Site, stream: Stream) -> None:
    before, redis = site.output, site.redis
    stream.send()
    stream.check()  # from here on the worker sleeps, and nothing but a new ring wakes it
    with stopped(site.supervisor):  # so that Redis stays away until the test is through
        kill_redis_and_what_it_kept(site)
        stream.send(2)
    wait_until_said(site, "Redis has died; starting it again.", before)
    stream.check()
    assert stream.statuses == [202] * 3
    assert site.redis != redis


def test_redis_emptied_while_the_worker_is_busy_delays_and_loses_nothing(site: Site, stream: Stream) -> None:
    done = None
    with worker_held(site, stream):
        stream.send()
        done = site.redis_command("FLUSHALL")
        stream.send()
    assert done
    stream.check()
    assert stream.statuses == [202] * 3


def test_uploads_are_accepted_while_redis_stands_still(site: Site, stream: Stream) -> None:
    stream.send()
    stream.check()  # from here on the worker sleeps, and nothing but a new ring wakes it
    with stopped(site.redis):
        stream.send()
        assert httpx.get(f"{site.url}/healthz", timeout=30).status_code == 200
    assert stream.statuses == [202] * 2
    stream.check()


def test_what_is_sent_while_redis_stands_still_is_read_without_it(site: Site, stream: Stream) -> None:
    with stopped(site.redis):
        stream.send(2)
        stream.check()
    assert stream.statuses == [202] * 2


def test_a_killed_database_comes_back_with_all_that_was_accepted(site: Site, stream: Stream) -> None:
    before = site.output
    with worker_held(site, stream):
        stream.send()
        kill(site.postgres)
    wait_until_said(site, "PostgreSQL has died; starting it again.", before)
    site.wait_until_ready()
    stream.send()
    stream.check()
    assert stream.statuses == [202] * 3


def test_a_worker_with_a_broken_model_does_not_start_and_says_why(site: Site, tmp_path: Path) -> None:
    models = tmp_path / "models"
    broken_models(ROOT / "workers" / "models", models)
    done = site.manage("worker", CXR_MODELS_DIR=str(models))
    assert done.returncode != 0
    assert "The worker does not start without a good model." in done.stderr
    assert "reader.bin" in done.stderr, "the message does not name the file"
    assert "Traceback" not in done.stderr
