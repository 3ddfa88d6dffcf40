"""One run: a site, a stream of studies, fault after fault, and in the end the books."""

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2

from tests.chaos.books import Books, read_books
from tests.chaos.faults import Fault, Hands
from tests.chaos.inputs import Inputs
from tests.chaos.invariant import Breach, breaches, orphan_breaches
from tests.chaos.ledger import Ledger
from tests.chaos.place import Place, chaos_place
from tests.chaos.stream import Stream
from tests.integration.site import Site, wait_until

_WHOLE_SECONDS = 90.0
_ANSWER_SECONDS = 60.0
_END_SECONDS = 150.0
_OPEN = "SELECT count(*) FROM diagnoses_job WHERE status IN ('queued', 'running')"
_SUFFERING = """
SELECT count(*) FROM diagnoses_job
WHERE (status = 'queued' AND attempts > 0)
   OR (status = 'running' AND (attempts > 1 OR lease_until < now() OR worker_name <> %s))
   OR (status = 'queued' AND ready_at < now() - interval '3 seconds' AND NOT EXISTS (
       SELECT FROM diagnoses_jobtransition WHERE move = 'claim' AND at > now() - interval '3 seconds'))
"""
"""Jobs without an end whose worker was lost, or that wait while no worker takes anything."""


@dataclass(frozen=True)
class Plan:
    """What is to be done. Each fault comes once at least, however long that takes; then until the time is over."""

    seed: int
    seconds: float
    faults: Sequence[Fault]
    pause_seconds: float = 20.0
    every_seconds: float = 0.8
    orphan_grace_seconds: float | None = None


@dataclass(frozen=True)
class Episode:
    """A fault from its beginning until the site was whole again, in seconds since the epoch."""

    fault: str
    started_at: float
    ended_at: float


@dataclass(frozen=True)
class Outcome:
    """What came of it. The logs are kept where something does not hold."""

    plan: Plan
    episodes: list[Episode]
    ledger: Ledger
    books: Books
    breaches: list[Breach]
    full_disk: str
    logs: Path | None


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Do all of it, and clean up."""
    ledger, inputs = Ledger(), Inputs(plan.seed)
    with chaos_place() as place:
        ledger.newer_model = place.newer_model
        stream = Stream(place.site, ledger, inputs, every_seconds=plan.every_seconds)
        hands = Hands(place, stream, ledger, inputs, random.Random(plan.seed), plan.pause_seconds)
        stream.start()
        try:
            episodes = _inject(plan, hands, say)
        finally:
            stream.stop(_ANSWER_SECONDS)
        say("Waiting until all that was accepted has its end")
        _wait(lambda: _none(place.site, _OPEN), _END_SECONDS, "everything has its end", ledger)
        books = _settled_books(place.site, plan, ledger)
        found = breaches(ledger, books)
        if plan.orphan_grace_seconds is not None:
            found += orphan_breaches(books, plan.orphan_grace_seconds)
        logs = _keep_logs(place) if found else None
    return Outcome(plan, episodes, ledger, books, found, place.full_disk_words, logs)


def _inject(plan: Plan, hands: Hands, say: Callable[[str], None]) -> list[Episode]:
    began = time.time()
    episodes: list[Episode] = []
    for fault in _in_turn(plan, hands.random):
        if len(episodes) >= len(plan.faults) and time.time() - began > plan.seconds:
            break
        started = time.time()
        say(f"{started - began:4.0f} s  {fault.name}")
        try:
            fault.inject(hands)
        except (AssertionError, psutil.Error, psycopg2.Error) as error:
            hands.ledger.complain(f"{fault.name}: {error!r}")
        is_whole = _wait(lambda: _is_whole(hands.site), _WHOLE_SECONDS, f"whole after: {fault.name}", hands.ledger)
        episodes.append(Episode(fault.name, started, time.time()))
        if not is_whole:
            break
    return episodes


def _in_turn(plan: Plan, chance: random.Random) -> Iterator[Fault]:
    """Round after round, each in another order."""
    while True:
        yield from chance.sample(plan.faults, len(plan.faults))


def _is_whole(site: Site) -> bool:
    """Whether all processes are up, and what a fault left behind has its end."""
    try:
        site.wait_until_ready()
        return _none(site, _SUFFERING, site.worker_name(site.worker))
    except (psutil.Error, psycopg2.Error):
        return False


def _none(site: Site, statement: str, *values: str) -> bool:
    return not site.rows(statement, *values)[0][0]


def _wait(condition: Callable[[], bool], seconds: float, what: str, ledger: Ledger) -> bool:
    """Whether it came about in time; where not, that is a complaint."""
    try:
        return wait_until(condition, seconds, what, every_seconds=0.5)
    except (AssertionError, psycopg2.Error) as error:
        ledger.complain(str(error))
        return False


def _settled_books(site: Site, plan: Plan, ledger: Ledger) -> Books:
    """The books once what nobody owns could be swept up; at once where nothing is asked of that."""
    until = time.monotonic() + 2 * (plan.orphan_grace_seconds or 0)
    books = read_books(site, ledger.studies)
    while books.orphans(0) and time.monotonic() < until:
        time.sleep(1)
        books = read_books(site, ledger.studies)
    return books


def _keep_logs(place: Place) -> Path:
    kept = Path(tempfile.mkdtemp(prefix="cxr-chaos-logs-"))
    shutil.copytree(place.site.var / "log", kept, dirs_exist_ok=True)
    (kept / "site.log").write_text(place.site.output)
    return kept
