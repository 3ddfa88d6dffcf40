"""What must hold in the end, whatever was done to the site: nothing lost, nothing read twice, nothing made up."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from tests.chaos.books import Books, ImageRow, JobRow, StudyRow
from tests.chaos.inputs import ENDS, SentFile
from tests.chaos.ledger import Ledger, SentStudy

_ENDED = ("done", "refused", "failed")
_HISTORY = re.compile(r"(claim recover )*claim (complete|refuse|fail|abandon)")
_LAST_MOVE = {"complete": "done", "refuse": "refused", "fail": "failed", "abandon": "failed"}


class Damage(StrEnum):
    """What kind of breach it is."""

    LOST = "lost"
    DUPLICATED = "duplicated"
    WRONG = "wrong"


@dataclass(frozen=True)
class Breach:
    """One thing that does not hold, of one image where it is about one."""

    damage: Damage
    words: str
    image_id: str = ""


def breaches(ledger: Ledger, books: Books) -> list[Breach]:
    """Everything that does not hold."""
    return [
        *(Breach(Damage.WRONG, words) for words in ledger.complaints),
        *_of_studies(ledger, books),
        *_of_images(ledger, books),
        *_of_older_workers(ledger, books),
    ]


def orphan_breaches(books: Books, grace_seconds: float) -> list[Breach]:
    """Files that nothing speaks of, and that should have been swept up by now."""
    orphans = books.orphans(grace_seconds)
    return [Breach(Damage.WRONG, f"no row names the file {name}, older than {grace_seconds:.0f} s") for name in orphans]


def _of_studies(ledger: Ledger, books: Books) -> Iterator[Breach]:
    kept = Counter(study.key for study in books.studies)
    for key, times in kept.items():
        if times > 1:
            yield Breach(Damage.DUPLICATED, f"there are {times} studies with the key {key}")
    for study in books.studies:
        sent = ledger.studies.get(study.key)
        if sent is None:
            yield Breach(Damage.WRONG, f"nobody sent study {study.id}, key {study.key!r}")
        else:
            yield from _of_one_study(sent, study)
    for sent in ledger.studies.values():
        if sent.study_id and sent.key not in kept:
            yield Breach(Damage.LOST, f"study {sent.study_id}, answered with 202, is not in the database")


def _of_one_study(sent: SentStudy, study: StudyRow) -> Iterator[Breach]:
    """Whole, with what was sent in its place, whether or not its sender ever had the answer."""
    positions = sorted([image.position for image in study.images] + [file.position for file in study.rejected])
    if positions != list(range(len(sent.files))):
        yield Breach(Damage.LOST, f"study {study.id} of {len(sent.files)} files was kept in part: places {positions}")
    if sent.study_id and sent.study_id != study.id:
        yield Breach(Damage.DUPLICATED, f"key {sent.key} was answered as {sent.study_id}, and kept as {study.id}")
    for image in study.images:
        if image.position < len(sent.files) and image.sha256 != sent.files[image.position].sha256:
            yield Breach(Damage.WRONG, f"the row of image {image.id} names another hash than what was sent", image.id)


def _of_images(ledger: Ledger, books: Books) -> Iterator[Breach]:
    kept = {image.id: image for image in books.images}
    stored = {file.name: file.sha256 for file in books.files}
    for image_id in ledger.accepted():
        if image_id not in kept:
            yield Breach(Damage.LOST, f"image {image_id}, answered with 202, is not in the database", image_id)
    for image, file in _with_files(ledger, books):
        yield from _of_original(image, stored)
        yield from _of_jobs(image)
        for job in image.jobs:
            yield from _of_job(image, job)
            yield from _of_orderly_stops(ledger, image, job)
            if job.status in _ENDED and (job.status, job.error_code) not in ENDS[file.kind]:
                yield Breach(
                    Damage.WRONG, f"a file that is {file.kind} ended as {job.status} {job.error_code}", image.id
                )
    yield from _of_rejected(ledger, books)


def _with_files(ledger: Ledger, books: Books) -> Iterator[tuple[ImageRow, SentFile]]:
    for study in books.studies:
        sent = ledger.studies.get(study.key)
        for image in study.images:
            if sent and image.position < len(sent.files):
                yield image, sent.files[image.position]


def _of_original(image: ImageRow, stored: dict[str, str]) -> Iterator[Breach]:
    if image.stored_name not in stored:
        yield Breach(Damage.LOST, f"the file of image {image.id} is gone", image.id)
    elif stored[image.stored_name] != image.sha256:
        yield Breach(Damage.LOST, f"the file of image {image.id} is not what was sent: its hash differs", image.id)


def _of_jobs(image: ImageRow) -> Iterator[Breach]:
    if not image.jobs:
        yield Breach(Damage.LOST, f"image {image.id} has no job", image.id)
    elif len(image.jobs) > 1:
        yield Breach(Damage.DUPLICATED, f"image {image.id} has {len(image.jobs)} jobs", image.id)


def _of_job(image: ImageRow, job: JobRow) -> Iterator[Breach]:
    if job.status not in _ENDED:
        yield Breach(Damage.LOST, f"job {job.id} has no end: it is {job.status}", image.id)
        return
    yield from _of_result(image, job)
    if bool(job.error_code) == (job.status == "done"):
        yield Breach(Damage.WRONG, f"job {job.id} is {job.status} with the code {job.error_code!r}", image.id)
    if job.ends_recorded != 1:
        damage = Damage.DUPLICATED if job.ends_recorded else Damage.WRONG
        yield Breach(damage, f"the end of job {job.id} is on record {job.ends_recorded} times", image.id)
    for words in _of_history(job):
        yield Breach(Damage.WRONG, f"job {job.id}: {words}", image.id)


def _of_orderly_stops(ledger: Ledger, image: ImageRow, job: JobRow) -> Iterator[Breach]:
    if any(step.move == "recover" and (job.id, step.token) in ledger.undisturbed for step in job.steps):
        yield Breach(Damage.DUPLICATED, f"job {job.id} was read again after an orderly stop of its worker", image.id)


def _of_result(image: ImageRow, job: JobRow) -> Iterator[Breach]:
    expected = 1 if job.status == "done" else 0
    if job.results != expected:
        damage = Damage.LOST if job.results < expected else Damage.DUPLICATED
        yield Breach(damage, f"job {job.id} is {job.status} and has {job.results} results", image.id)
    elif expected and job.read_sha256 != image.sha256:
        yield Breach(Damage.WRONG, f"the result of job {job.id} is of another file", image.id)
    elif expected and not _is_png(job.heatmap):
        yield Breach(Damage.LOST, f"the heatmap of job {job.id} is no picture", image.id)


def _is_png(data: bytes | None) -> bool:
    return bool(data) and cv2.imdecode(np.frombuffer(data or b"", np.uint8), cv2.IMREAD_GRAYSCALE) is not None


def _of_history(job: JobRow) -> Iterator[str]:
    moves = " ".join(step.move for step in job.steps)
    if not _HISTORY.fullmatch(moves):
        yield f"its history is not legal: {moves}"
        return
    claims = [step.token for step in job.steps if step.move == "claim"]
    if claims != list(range(1, job.token + 1)):
        yield f"its claims have the tokens {claims}, and it holds {job.token}"
    held = [(before.token, after.token) for before, after in zip(job.steps[::2], job.steps[1::2], strict=True)]
    if any(claimed != ended for claimed, ended in held):
        yield f"a claim was ended by another token than its own: {held}"
    claim, end = job.steps[-2:]
    if end.by != ("scheduler" if end.move == "abandon" else claim.by):
        yield f"{claim.by} held it last, and {end.by} ended it"
    if _LAST_MOVE[end.move] != job.status:
        yield f"its last move is {end.move}, and it is {job.status}"


def _of_rejected(ledger: Ledger, books: Books) -> Iterator[Breach]:
    """Files refused at once: by the words of the answer where there was one, else by those on record."""
    on_record = {study.key: {file.position: file.code for file in study.rejected} for study in books.studies}
    for sent in ledger.studies.values():
        codes = dict(enumerate(answer.code for answer in sent.answers)) or on_record.get(sent.key, {})
        for place, code in codes.items():
            kind = sent.files[place].kind
            if code not in ("", "storage_unavailable") and ("refused", code) not in ENDS[kind]:
                yield Breach(Damage.WRONG, f"a file that is {kind} was refused at once, {code}, with key {sent.key}")


def _of_older_workers(ledger: Ledger, books: Books) -> Iterator[Breach]:
    for image in books.images:
        for job in image.jobs:
            takers = {step.by for step in job.steps if step.move == "claim"} & ledger.older_workers
            if takers and job.model == ledger.newer_model:
                yield Breach(Damage.WRONG, f"{takers} took job {job.id} for {job.model}, which they lack", image.id)
