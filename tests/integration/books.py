"""What must hold of accepted images whatever was killed meanwhile: all of them answered, none of them twice."""

import hashlib
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import cv2
import httpx
import numpy as np

from tests import pictures
from tests.integration.site import Site, post_study, wait_until

PER_STUDY = 10
GATE_WIDTH = 124
"""A picture of this width holds its worker at a shut gate: names are sealed, and no trigger could read them."""

_GATE_LOCK = 4711
_MAKE_GATE = f"""
CREATE OR REPLACE FUNCTION tests_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM diagnoses_job j JOIN diagnoses_image i ON i.id = j.image_id
               WHERE j.id = NEW.job_id AND i.width = {GATE_WIDTH}) THEN
        PERFORM pg_advisory_xact_lock_shared({_GATE_LOCK});
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER tests_gate BEFORE INSERT ON diagnoses_result FOR EACH ROW EXECUTE FUNCTION tests_gate();
"""
_WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
_BOOKS = """
SELECT i.id::text, i.study_id::text, i.sha256, i.stored_name, j.id::text, j.status, j.error_code, j.token,
       r.image_sha256, r.heatmap,
       (SELECT array_agg(t.move ORDER BY t.id) FROM diagnoses_jobtransition t WHERE t.job_id = j.id),
       (SELECT array_agg(t.token ORDER BY t.id) FROM diagnoses_jobtransition t WHERE t.job_id = j.id),
       (SELECT count(*) FROM diagnoses_auditevent a WHERE a.action = 'result_recorded' AND a.object_id = j.id::text)
FROM diagnoses_image i
JOIN diagnoses_study s ON s.id = i.study_id
LEFT JOIN diagnoses_job j ON j.image_id = i.id
LEFT JOIN diagnoses_result r ON r.job_id = j.id
WHERE s.subject_id::text = %s
"""


@dataclass
class Stream:
    """Studies of ten images under one patient's name, and what became of each upload."""

    site: Site
    client: httpx.Client
    patient: str = field(default_factory=lambda: f"stream-{uuid.uuid4().hex[:12]}")
    accepted: dict[str, str] = field(default_factory=dict)
    """Image ids, each with the hash of the bytes that were sent."""
    statuses: list[int] = field(default_factory=list)
    _seed: int = 1000
    _pseudonym: str = ""

    def send(self, studies: int = 1, *, gate: bool = False) -> None:
        """Send so many studies. With `gate` an image in the middle of each stops its worker at a shut gate."""
        for _ in range(studies):
            widths = [GATE_WIDTH if gate and place == PER_STUDY // 2 else 120 for place in range(PER_STUDY)]
            made = [pictures.png(pictures.phantom(width, 110, self._next_seed())) for width in widths]
            files = [(f"{place}.png", data) for place, data in enumerate(made)]
            answer = post_study(self.client, files, patient_id=self.patient)
            self.statuses.append(answer.status_code)
            if answer.status_code == 202:
                hashes = [hashlib.sha256(data).hexdigest() for _, data in files]
                ids = [image["id"] for image in answer.json()["images"]]
                self.accepted |= dict(zip(ids, hashes, strict=True))

    def check(self, seconds: float = 90) -> None:
        """Wait until every accepted image is answered, then go through the books."""
        wait_until(lambda: not self._open(), seconds, "every accepted image is answered")
        rows, opened = self.site.rows(_BOOKS, self.pseudonym), self.site.opened()
        kept = [row[0] for row in rows]
        assert len(kept) == len(set(kept)), "an image has two jobs"
        assert set(self.accepted) <= set(kept), "an accepted image is not in the database"
        studies = [row[1] for row in rows]
        assert {studies.count(study) for study in studies} <= {PER_STUDY}, "a study was taken in part"
        for image, _, sha256, stored_name, job, status, error, token, read_sha256, heatmap, moves, tokens, ends in rows:
            assert (status, error) == ("done", ""), f"image {image}: {status} {error}, after {moves}"
            assert sha256 == read_sha256 == self.accepted.get(image, sha256)
            assert opened[stored_name] == sha256
            assert ends == 1, f"the end of job {job} is on record {ends} times"
            assert re.fullmatch(r"(claim recover )*claim complete", " ".join(moves)), moves
            claims = [number for move, number in zip(moves, tokens, strict=True) if move == "claim"]
            assert claims == list(range(1, token + 1)), f"tokens {claims} of job {job}, which holds {token}"
            assert tokens[-1] == token, "a result came from a claim that was lost"
            grey = cv2.imdecode(np.frombuffer(bytes(heatmap), np.uint8), cv2.IMREAD_GRAYSCALE)
            assert grey is not None, f"the heatmap of job {job} is no picture"

    @property
    def pseudonym(self) -> str:
        """By which rows know the patient; empty as long as nothing was taken."""
        self._pseudonym = self._pseudonym or self.site.pseudonym_of(self.patient)
        return self._pseudonym

    def _open(self) -> int:
        """How many images of the patient have no end yet, those included that no answer spoke of."""
        ended = "('done', 'refused', 'failed')"
        statement = (
            "SELECT count(*) FROM diagnoses_job j JOIN diagnoses_image i ON i.id = j.image_id "
            f"JOIN diagnoses_study s ON s.id = i.study_id WHERE s.subject_id::text = %s AND j.status NOT IN {ended}"
        )
        return int(self.site.rows(statement, self.pseudonym)[0][0])

    def _next_seed(self) -> int:
        self._seed += 1
        return self._seed


@contextmanager
def shut_gate(site: Site) -> Iterator[None]:
    """No result of a file with the gate's name can be saved, as long as the context lasts."""
    with site.database() as connection, connection.cursor() as cursor:
        cursor.execute(_MAKE_GATE)
        cursor.execute("SELECT pg_advisory_lock(%s)", [_GATE_LOCK])
        yield


def wait_until_held(site: Site) -> None:
    """Wait until a worker stands at the shut gate. It gives up by itself after its lock timeout of five seconds."""
    wait_until(lambda: site.rows(_WAITING, _GATE_LOCK)[0][0], 30, "a worker stands at the gate")


@contextmanager
def worker_held(site: Site, stream: Stream) -> Iterator[None]:
    """A worker in the middle of a batch, unable to save one of its results, as long as the context lasts."""
    with shut_gate(site):
        stream.send(gate=True)
        wait_until_held(site)
        yield
