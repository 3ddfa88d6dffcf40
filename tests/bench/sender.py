"""The whole site in a sender's hands: files go in over HTTP, and what becomes of them is waited for."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.bench.files import File
from tests.integration.site import Site, post_study

_PER_STUDY = 20
_LOOK_EVERY_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 10
_GIVE_UP_AFTER_SECONDS = 600.0


@dataclass(frozen=True)
class Way:
    """When one image was where, in seconds from the start of its upload."""

    accepted: float
    claimed: float
    ended: float
    seen: float


class Sender:
    """Sends by the API, as a program of a hospital would. It counts by a connection to the database that it holds."""

    def __init__(self, site: Site, client: httpx.Client, connection: Any) -> None:
        self.site = site
        self._client = client
        self._connection = connection

    def send(self, files: Sequence[File], **details: str) -> list[str]:
        """Upload in studies of twenty files, and give back their ids."""
        parts = [files[start : start + _PER_STUDY] for start in range(0, len(files), _PER_STUDY)]
        return [post_study(self._client, part, **details).raise_for_status().json()["id"] for part in parts]

    def seconds_until_committed(self, files: Sequence[File]) -> float:
        """From the first upload until the database holds the last answer. Raises RuntimeError for one that failed."""
        started = time.perf_counter()
        studies = self.send(files)
        self._wait_until_ended(studies)
        seconds = time.perf_counter() - started
        if failed := self._count(studies, "failed"):
            raise RuntimeError(f"{failed} of {len(files)} readings failed")
        return seconds

    def way_of(self, file: File, **details: str) -> Way:
        """Upload one file, and follow it until the API gives its answer, to a request that waits for it."""
        started = time.time()  # by the clock of the machine, which is the database's, too
        [study] = self.send([file], **details)
        accepted = time.time()
        while not self._is_answered(study):
            if time.time() > started + _GIVE_UP_AFTER_SECONDS:
                raise RuntimeError(f"study {study} is not answered")
        seen = time.time()
        claimed, ended = (self._number(_MOVED, study, move) for move in ("claim", "complete"))
        return Way(*(at - started for at in (accepted, claimed, ended, seen)))

    def waiting(self) -> int:
        """How many images wait that no worker has taken."""
        return int(self._number("SELECT count(*) FROM diagnoses_job WHERE status = 'queued'"))

    def wait_until_idle(self) -> None:
        """Until everything that was ever sent is answered."""
        statement = "SELECT count(*) FROM diagnoses_job WHERE status IN ('queued', 'running')"
        self._wait_for_zero(statement)

    def _wait_until_ended(self, studies: Sequence[str]) -> None:
        self._wait_for_zero(f"{_OF_STUDIES} AND status IN ('queued', 'running')", list(studies))

    def _wait_for_zero(self, statement: str, *values: Any) -> None:
        until = time.monotonic() + _GIVE_UP_AFTER_SECONDS
        while left := int(self._number(statement, *values)):
            if time.monotonic() > until:
                raise RuntimeError(f"{left} images are not answered")
            time.sleep(_LOOK_EVERY_SECONDS)

    def _is_answered(self, study: str) -> bool:
        answer = self._client.get(f"studies/{study}/", params={"wait": _LONGEST_WAIT_SECONDS})
        images = answer.raise_for_status().json()["images"]
        return all(image["status"] not in ("queued", "running") for image in images)

    def _count(self, studies: Sequence[str], status: str) -> int:
        return int(self._number(f"{_OF_STUDIES} AND status = %s", list(studies), status))

    def _number(self, statement: str, *values: Any) -> float:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return float(cursor.fetchone()[0])


_OF_STUDIES = (
    "SELECT count(*) FROM diagnoses_job JOIN diagnoses_image ON diagnoses_image.id = diagnoses_job.image_id "
    "WHERE diagnoses_image.study_id = ANY(%s::uuid[])"
)
_MOVED = (
    "SELECT extract(epoch FROM at) FROM diagnoses_jobtransition JOIN diagnoses_job ON diagnoses_job.id = job_id "
    "JOIN diagnoses_image ON diagnoses_image.id = diagnoses_job.image_id WHERE study_id = %s AND move = %s"
)
