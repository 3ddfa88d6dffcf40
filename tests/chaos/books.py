"""What the site has on record in the end: every row that speaks of an image, and every file."""

import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.integration.site import Site


@dataclass(frozen=True)
class Step:
    """One move of a job."""

    move: str
    token: int
    by: str


@dataclass(frozen=True)
class JobRow:
    """A job with all that hangs on it. Times are seconds since the epoch, by the database's clock."""

    id: str
    image_id: str
    status: str
    error_code: str
    token: int
    model: str
    ended_at: float | None
    steps: tuple[Step, ...]
    results: int
    """How many results it has."""
    read_sha256: str
    """Of what the worker read, by its own word."""
    heatmap: bytes | None
    ends_recorded: int
    """How many audit events speak of its end."""


@dataclass(frozen=True)
class ImageRow:
    """An image with its jobs."""

    id: str
    position: int
    sha256: str
    stored_name: str
    jobs: tuple[JobRow, ...]


@dataclass(frozen=True)
class Rejection:
    """A file that was not taken in."""

    position: int
    code: str


@dataclass(frozen=True)
class StudyRow:
    """A study with its files."""

    id: str
    key: str
    created_at: float
    images: tuple[ImageRow, ...]
    rejected: tuple[Rejection, ...]


@dataclass(frozen=True)
class KeptFile:
    """A file in storage."""

    name: str
    sha256: str
    """Of what is in it; where it is sealed, of what was sealed."""
    age_seconds: float
    stored_sha256: str = ""
    """Of its bytes as they lie there."""


@dataclass(frozen=True)
class Books:
    """All of it."""

    studies: tuple[StudyRow, ...]
    files: tuple[KeptFile, ...]

    @property
    def images(self) -> Iterator[ImageRow]:
        """Those of every study."""
        return (image for study in self.studies for image in study.images)

    def orphans(self, grace_seconds: float) -> list[str]:
        """The files older than that which no row names."""
        named = {image.stored_name for image in self.images}
        return [file.name for file in self.files if file.age_seconds > grace_seconds and file.name not in named]


_STUDIES = "SELECT id::text, idempotency_key, extract(epoch FROM created_at)::float8 FROM diagnoses_study"
_IMAGES = "SELECT study_id::text, id::text, position, sha256, stored_name FROM diagnoses_image"
_REJECTED = "SELECT study_id::text, position, code FROM diagnoses_rejectedfile"
_STEPS = "SELECT job_id::text, move, token, by FROM diagnoses_jobtransition ORDER BY id"
_JOBS = """
SELECT j.id::text, j.image_id::text, j.status, j.error_code, j.token, v.name || ' ' || v.version,
       extract(epoch FROM j.ended_at)::float8
FROM diagnoses_job j JOIN diagnoses_modelversion v ON v.id = j.model_version_id
"""
_RESULTS = "SELECT job_id::text, image_sha256, heatmap FROM diagnoses_result"
_ENDS = "SELECT object_id, count(*) FROM diagnoses_auditevent WHERE action = 'result_recorded' GROUP BY object_id"


def read_books(site: Site, keys: Collection[str] = ()) -> Books:
    """Everything, as it stands now. A study's key is that of these which its sender used, else what is kept of it."""
    known = site.keys_by_digest(keys) if keys else {}
    results = site.rows(_RESULTS)
    jobs = _by_first((job.image_id, job) for job in _jobs(site, results))
    images = _by_first(
        (study, ImageRow(image, position, sent_sha256, name, tuple(jobs[image])))
        for study, image, position, sent_sha256, name in site.rows(_IMAGES)
    )
    rejected = _by_first((study, Rejection(position, code)) for study, position, code in site.rows(_REJECTED))
    studies = [
        StudyRow(study, known.get(digest, digest), created_at, tuple(images[study]), tuple(rejected[study]))
        for study, digest, created_at in site.rows(_STUDIES)
    ]
    return Books(tuple(studies), tuple(_files(site.file(""), site.opened())))


def _jobs(site: Site, results: list[tuple[Any, ...]]) -> Iterator[JobRow]:
    steps = _by_first((job, Step(move, token, by)) for job, move, token, by in site.rows(_STEPS))
    results_of = _by_first((job, (read, kept)) for job, read, kept in results)
    ends = dict(site.rows(_ENDS))
    for job, image, status, code, token, model, ended_at in site.rows(_JOBS):
        found = results_of[job]
        read, heatmap = (found[0][0], bytes(found[0][1])) if found else ("", None)
        history = tuple(steps[job])
        yield JobRow(
            job, image, status, code, token, model, ended_at, history, len(found), read, heatmap, ends.get(job, 0)
        )


def _files(media: Path, opened: dict[str, str]) -> Iterator[KeptFile]:
    for path in media.rglob("*"):
        if path.is_file():
            age = time.time() - path.stat().st_mtime
            name, stored = str(path.relative_to(media)), sha256(path.read_bytes()).hexdigest()
            yield KeptFile(name, opened.get(name, stored), age, stored)


def _by_first(pairs: Iterator[tuple[str, Any]]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = defaultdict(list)
    for first, second in pairs:
        groups[first].append(second)
    return groups
