"""A steady stream of studies, sent as a good client sends them: again, under the same key, until there is an answer."""

import threading
import time
import uuid
from collections.abc import Sequence

import httpx
import psycopg2

from tests.chaos.inputs import Inputs, SentFile
from tests.chaos.ledger import STORAGE_FAULT, Answered, Ledger, SentStudy
from tests.integration.site import Site

_AGAIN_AFTER_SECONDS = 0.5
_PATIENCE_SECONDS = 150.0
_ENOUGH_WAITING = 60
"""Images. Beyond it a slow machine would be measured, and not what the faults do."""
_WAITING = "SELECT count(*) FROM diagnoses_job WHERE status = 'queued'"
_ACCEPTED = 202
_NOTHING_USABLE = 400
_KEY_REUSED = 409
_TOO_MANY = 429
_UNAVAILABLE = 503


class Stream:
    """Sends from threads of its own until it is stopped, and what it is given besides."""

    def __init__(self, site: Site, ledger: Ledger, inputs: Inputs, *, every_seconds: float) -> None:
        self._site = site
        self._ledger = ledger
        self._inputs = inputs
        self._every_seconds = every_seconds
        self._stopped = threading.Event()
        self._given_up = threading.Event()
        self._threads = [threading.Thread(target=self._send_on, name=f"sender {number}") for number in range(2)]
        with site.client() as client:
            self._headers = dict(client.headers)
            self._base_url = client.base_url

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> None:
        """Send nothing new, and wait for the answers that are still out."""
        self._stopped.set()
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._given_up.set()
        for thread in self._threads:
            thread.join()

    def files(self) -> list[SentFile]:
        """Files for one more study."""
        return self._inputs.study()

    def deliver(self, files: Sequence[SentFile], *, model: str = "", urgent: bool = False) -> SentStudy:
        """Send a study until it is answered, and what could not be kept again as another. Gives back the first."""
        first = self.study(files, model=model, urgent=urgent)
        self.carry(first)
        return first

    def study(self, files: Sequence[SentFile], *, model: str = "", urgent: bool = False) -> SentStudy:
        """A study that is known to the ledger, and not sent yet."""
        study = SentStudy(str(uuid.uuid4()), tuple(files), model, urgent)
        self._ledger.enter(study)
        return study

    def carry(self, first: SentStudy) -> None:
        """Send a known study as `deliver` does."""
        with httpx.Client(base_url=self._base_url, headers=self._headers, timeout=20) as client:
            study = first
            while self._send(client, study):
                left = [f for f, answer in zip(study.files, study.answers, strict=True) if answer.code == STORAGE_FAULT]
                if not left:
                    return
                study = self.study(left, model=study.model, urgent=study.urgent)
                self._given_up.wait(_AGAIN_AFTER_SECONDS)

    def _send_on(self) -> None:
        while not self._stopped.is_set():
            started = time.monotonic()
            if not self._is_enough_waiting():
                self.deliver(self.files())
            self._stopped.wait(max(0.0, self._every_seconds * len(self._threads) - (time.monotonic() - started)))

    def _is_enough_waiting(self) -> bool:
        try:
            return bool(self._site.rows(_WAITING)[0][0] > _ENOUGH_WAITING)
        except psycopg2.Error:
            return False  # without its database the site shall be sent to all the same

    def _send(self, client: httpx.Client, study: SentStudy) -> bool:
        """Send one study until it is answered for good; False where that is not to be any more."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while not self._given_up.is_set():
            if time.monotonic() > until:
                self._ledger.complain(f"study {study.key} had no answer within {_PATIENCE_SECONDS:.0f} s")
                return False
            try:
                answer = _post(client, study)
            except httpx.TransportError:
                answer = None
            if answer is not None and self._is_final(study, answer):
                return bool(study.answers)
            self._given_up.wait(_AGAIN_AFTER_SECONDS)
        return False

    def _is_final(self, study: SentStudy, answer: httpx.Response) -> bool:
        if answer.status_code == _TOO_MANY or answer.status_code >= 500:
            if _is_for_want_of_room(answer):
                self._ledger.note_no_room()
            return False
        said = answer.json()
        if answer.status_code not in (_ACCEPTED, _NOTHING_USABLE):
            self._ledger.complain(f"study {study.key} was answered {answer.status_code}: {said}")
            return True
        if not said.get("images"):
            return False  # nothing was looked at: no worker has this model now
        study.answers = tuple(Answered(image["id"], (image["error"] or {}).get("code", "")) for image in said["images"])
        study.study_id, study.answered_at = said["id"] or "", time.time()
        return True


def _is_for_want_of_room(answer: httpx.Response) -> bool:
    return answer.status_code == _UNAVAILABLE and "nearly full" in answer.text


def _post(client: httpx.Client, study: SentStudy) -> httpx.Response:
    parts = [("files", (file.name, file.data)) for file in study.files]
    details = {"urgent": str(study.urgent).lower()} | ({"model": study.model} if study.model else {})
    return client.post("studies/", files=parts, data=details, headers={"Idempotency-Key": study.key})
