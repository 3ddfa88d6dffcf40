"""Workers that die, are stopped, are broken, or are of another time."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil

from tests.chaos.faults.registry import Hands, fault
from tests.integration.hands import broken_models, kill, stopped, wait_until_said
from tests.integration.site import ROOT, is_alive, wait_until

_RUNNING = "SELECT id::text FROM diagnoses_job WHERE status = 'running'"
_IN_HAND = "SELECT id::text, token FROM diagnoses_job WHERE status = 'running'"
_TAKEN_SINCE = "SELECT job_id::text, token FROM diagnoses_jobtransition WHERE move = 'claim' AND by = %s AND at >= %s"
_OLDER_TOOK = "SELECT count(*) FROM diagnoses_jobtransition WHERE move = 'claim' AND by = %s"


def _kill_worker(hands: Hands, whom: str) -> None:
    """The child, the parent or both; a child's death is Celery's to mend, a parent's the supervisor's."""
    site, before = hands.site, hands.site.output
    parent, child = site.worker, site.worker_child
    kill(*{"child": [child], "parent": [parent], "both": [parent, child]}[whom])
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGCONT)  # where it stood still and its parent alone was killed
    if whom != "child":
        wait_until_said(site, "Starting the worker again", before)
    wait_until(lambda: not psutil.pid_exists(child) or not is_alive(psutil.Process(child)), 10, "its child ends, too")


def _catch_in_a_batch(hands: Hands) -> None:
    """The worker's child stands still, with a batch in hand."""
    child = hands.site.worker_child

    def caught() -> bool:
        if not hands.site.rows(_RUNNING):
            return False
        os.kill(child, signal.SIGSTOP)
        if hands.site.rows(_RUNNING):
            return True
        os.kill(child, signal.SIGCONT)
        return False

    wait_until(caught, 60, "the worker is caught with a batch in hand")


@fault("child killed")
def child_killed_in_a_batch(hands: Hands) -> None:
    _catch_in_a_batch(hands)
    _kill_worker(hands, "child")


@fault("parent killed")
def parent_killed_in_a_batch(hands: Hands) -> None:
    _catch_in_a_batch(hands)
    _kill_worker(hands, hands.random.choice(["parent", "both"]))


@fault("killed before commit")
def killed_before_its_commit(hands: Hands) -> None:
    with hands.worker_held():
        _kill_worker(hands, "child")


@contextmanager
def _worker_stopped(hands: Hands) -> Iterator[None]:
    """SIGTERM at the end of the context. What is in hand then, and what is still taken, is finished and read once."""
    site, before, name = hands.site, hands.site.output, hands.site.worker_name(hands.site.worker)
    # What a database that died made it drop looks for the length of a lease as if it were in hand.
    earlier = set(site.rows(_IN_HAND))
    wait_until(
        lambda: not earlier & set(site.rows(_IN_HAND)), 60, "what was taken before is brought to its end or lost"
    )
    with hands.worker_held():
        yield
        [(asked_at,)] = site.rows("SELECT now()")
        in_hand = site.rows(_IN_HAND)
        os.kill(site.worker, signal.SIGTERM)
    wait_until_said(site, "Starting the worker again", before)
    taken = site.rows(_TAKEN_SINCE, name, asked_at)
    hands.ledger.undisturbed.update((job, token) for job, token in [*in_hand, *taken])


@fault("worker stopped")
def stopped_in_a_batch(hands: Hands) -> None:
    with _worker_stopped(hands):
        pass


@fault("unrung worker stopped")
def stopped_without_a_doorbell(hands: Hands) -> None:
    """As before, in a batch that the worker has found for itself."""
    with ExitStack() as stack:
        stack.enter_context(stopped(hands.site.redis))
        with _worker_stopped(hands):
            stack.close()


@fault("broken model")
def broken_model(hands: Hands) -> None:
    """It does not start, and so takes nothing."""
    models = hands.place.folder / "broken"
    if not models.exists():
        broken_models(ROOT / "workers" / "models", models)
    before = hands.site.rows("SELECT count(*) FROM diagnoses_worker")
    done = hands.site.manage("worker", **hands.place.environment(CXR_MODELS_DIR=str(models)))
    assert done.returncode != 0, "a worker with a broken model ended as if all were well"
    assert "does not start without a good model" in done.stderr, done.stderr
    assert hands.site.rows("SELECT count(*) FROM diagnoses_worker") == before, "it reported itself as a worker"


@fault("older worker")
def previous_version(hands: Hands) -> None:
    """It reads beside the new one, and leaves alone what it has no model for."""
    log = hands.site.var / "log" / "older-worker.log"
    environment = hands.place.environment(CXR_MODELS_DIR=str(hands.place.older_models))
    with hands.site.second_worker(log, **environment) as parent:
        name = hands.site.worker_name(parent)
        hands.ledger.older_workers.add(name)
        for _ in range(3):
            hands.stream.deliver([hands.inputs.valid() for _ in range(4)], model=hands.place.newer_model_asked)
        wait_until(lambda: hands.site.rows(_OLDER_TOOK, name)[0][0], 60, "the older worker takes something")
