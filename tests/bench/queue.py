"""What the queue itself allows: jobs per second of eight workers over those of one, and the database's time per job.

A worker is a process that claims and finishes by the product's own services, on jobs that were put in by SQL. Its
engine decodes nothing and answers each batch after 200 ms of waiting without work, as one on a device or on another
machine would: eight processes that compute could never be eight times as fast on few cores, and what is asked here is
whether the queue, with its locks and commits, lets them go on side by side. The same with an engine that answers at
once is given beside it, as information.

The database's time is the wall time of all statements and commits of the single worker, the way there and back
included, per finished job.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.figures import Figures
from tests.bench.ground import Hand, ground
from tests.bench.place import place

_WORKERS = 8
_ROUNDS = 3
_WAIT_SECONDS = 0.2
_JOBS_OF_ONE = 320
"""Twenty batches."""
_JOBS_OF_ALL = 8 * 320


@dataclass(frozen=True)
class _Run:
    """What some workers did together."""

    jobs_per_second: float
    database_ms_per_job: float


def measure(_: object = None) -> Figures:
    with place() as folder, ground() as workers_ground:
        file = folder / "file"
        file.write_bytes(b"nothing that anybody decodes")
        hands = [workers_ground.hand() for _ in range(_WORKERS)]
        waiting = _rounds(hands, str(file), _WAIT_SECONDS, _ROUNDS)
        plain = _rounds(hands, str(file), 0, 1)
    return {
        "eight_workers_over_one": statistics.median(
            every.jobs_per_second / one.jobs_per_second for one, every in waiting
        ),
        "database_ms_per_job": statistics.median(one.database_ms_per_job for one, _ in waiting),
        "database_ms_per_job_of_eight_at_once": statistics.median(every.database_ms_per_job for _, every in waiting),
        "one_worker_jobs_per_second": statistics.median(one.jobs_per_second for one, _ in waiting),
        "eight_workers_jobs_per_second": statistics.median(every.jobs_per_second for _, every in waiting),
        "without_waiting_one_worker_jobs_per_second": plain[0][0].jobs_per_second,
        "without_waiting_eight_workers_jobs_per_second": plain[0][1].jobs_per_second,
        "without_waiting_eight_workers_over_one": plain[0][1].jobs_per_second / plain[0][0].jobs_per_second,
    }


def _rounds(hands: Sequence[Hand], path: str, wait_seconds: float, count: int) -> list[tuple[_Run, _Run]]:
    """One worker and all of them, in turns; the first of all, which opens what is open later on, is not counted."""
    _run(hands, path, 16 * len(hands), wait_seconds)
    return [
        (_run(hands[:1], path, _JOBS_OF_ONE, wait_seconds), _run(hands, path, _JOBS_OF_ALL, wait_seconds))
        for _ in range(count)
    ]


def _run(hands: Sequence[Hand], path: str, jobs: int, wait_seconds: float) -> _Run:
    hands[0].ask("seed", paths=[path], count=jobs)
    for hand in hands:
        hand.tell("finish_all", wait_seconds=wait_seconds)
    done = [hand.answer() for hand in hands]
    finished = sum(one["jobs"] for one in done)
    if finished != jobs or hands[0].ask("unfinished"):
        raise RuntimeError(f"{finished} of {jobs} jobs were finished")
    seconds = max(one["ended"] for one in done) - min(one["started"] for one in done)
    return _Run(jobs / seconds, sum(one["database_seconds"] for one in done) / jobs * 1000)
