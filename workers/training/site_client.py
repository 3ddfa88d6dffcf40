"""A running site's API, as much of it as an evaluation needs: files in, answers out. The token is never shown."""

import json
import mimetypes
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import urllib3

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 120.0
_PATIENCE_SECONDS = 600.0
_FIRST_LOOK_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 5.0
_SLOWER = 1.5
_ENDED = {"done", "refused", "failed"}


class ServedError(Exception):
    """The site did not do its part; the text says what it answered and what to look at."""


@dataclass(frozen=True)
class ServedAnswer:
    """What the site said of one file. `code` is why it was refused or failed; the rest is there where it is done."""

    status: str
    code: str = ""
    label: str = ""
    probability: float = 0.0
    indeterminate_reason: str = ""
    warnings: tuple[str, ...] = ()
    model: str = ""
    model_version: str = ""
    weights_sha256: str = ""
    engine: str = ""


class SiteClient:
    """One site, in the name of a token's owner."""

    def __init__(
        self,
        url: str,
        token: str,
        model: str,
        *,
        patience_seconds: float = _PATIENCE_SECONDS,
        read_seconds: float = _READ_SECONDS,
        wait: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`model` is what is asked to read, as name@version; `patience_seconds` how long a study may stand still.

        Raises ServedError for an address that is none.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.username or parts.query:
            raise ServedError("The site's address must look like https://host or http://host:port.")
        self._studies = f"{url.rstrip('/')}/api/v1/studies/"
        self._token = token
        self._model = model
        self._patience = patience_seconds
        self._wait = wait
        self._now = now
        # Nothing is sent twice by itself: a study that was sent twice would stand there twice. Redirects are not
        # followed either, since the token would go along.
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_seconds)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False)

    def read(self, files: Sequence[tuple[str, bytes]]) -> list[ServedAnswer]:
        """Send files (name, bytes) as one study, and wait for the answer to each, in order. Raises ServedError."""
        study, images = self._send(files)
        answers: dict[str, ServedAnswer] = {}
        if study is not None:
            answers = self._answers(study, {image["id"] for image in images if image["id"]})
        return [answers[image["id"]] if image["id"] else _answer(image) for image in images]

    def _send(self, files: Sequence[tuple[str, bytes]]) -> tuple[str | None, list[dict[str, Any]]]:
        """The study's id, None where no file was taken, and what was said of each file."""
        parts = [("files", (name, data, mimetypes.guess_type(name)[0] or _UNKNOWN)) for name, data in files]
        try:
            response = self._request("POST", self._studies, [("model", self._model), *parts])
        except urllib3.exceptions.HTTPError as error:
            raise self._error(f"The site cannot be reached at {self._studies}: {type(error).__name__}.") from error
        answer = self._json(response)
        images = answer.get("images", [])
        if response.status not in {202, 400} or len(images) != len(files):
            raise self._refused(response.status, answer)
        return answer.get("id"), images

    def _answers(self, study: str, wanted: set[str]) -> dict[str, ServedAnswer]:
        """Look again, ever more slowly, until every image has ended."""
        pause, ended, moved_at = _FIRST_LOOK_SECONDS, -1, self._now()
        while True:
            images = self._look(study)
            done = {image["id"]: _answer(image) for image in images if image["status"] in _ENDED}
            if wanted <= done.keys():
                return done
            if len(done) > ended and images:
                pause, ended, moved_at = _FIRST_LOOK_SECONDS, len(done), self._now()
            if self._now() - moved_at > self._patience:
                raise self._error(
                    f"Study {study} has stood still for {self._patience:.0f} seconds with "
                    f"{len(wanted - done.keys())} of {len(wanted)} pictures unread. Check that a worker runs there."
                )
            self._wait(pause)
            pause = min(pause * _SLOWER, _LONGEST_WAIT_SECONDS)

    def _look(self, study: str) -> list[dict[str, Any]]:
        """The images of a study; none where the site is out of reach for now."""
        try:
            response = self._request("GET", f"{self._studies}{study}/")
        except urllib3.exceptions.HTTPError:
            return []
        if response.status >= 500 or response.status == 429:
            return []
        answer = self._json(response)
        images: list[dict[str, Any]] = answer.get("images", [])
        if response.status != 200:
            raise self._refused(response.status, answer)
        return images

    def _request(self, method: str, url: str, fields: Any = None) -> urllib3.BaseHTTPResponse:
        headers = {"Authorization": f"Token {self._token}", "Accept": "application/json"}
        return self._pool.request(method, url, fields=fields, headers=headers)

    def _json(self, response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
        try:
            answer = json.loads(response.data)
        except ValueError:
            answer = None
        if isinstance(answer, dict):
            return answer
        raise self._refused(response.status, {})

    def _refused(self, status: int, answer: dict[str, Any]) -> ServedError:
        detail = answer.get("detail") or _HINTS.get(status, "Check that the address is the site's own.")
        return self._error(f"The site answered {status}. {detail}")

    def _error(self, words: str) -> ServedError:
        """An error in which the token does not stand, whatever the site wrote."""
        return ServedError(words.replace(self._token, "…") if self._token else words)


_UNKNOWN = "application/octet-stream"
_HINTS = {
    301: "It redirects: give the address that it redirects to.",
    302: "It redirects: give the address that it redirects to.",
    308: "It redirects: give the address that it redirects to.",
    413: "Together the files are too large for it.",
    503: "It is not ready: check /readyz.",
}


def _answer(image: dict[str, Any]) -> ServedAnswer:
    """One image of the API's answer. Raises ServedError for one in another form."""
    try:
        if image["status"] != "done":
            return ServedAnswer(image["status"], code=(image["error"] or {}).get("code", ""))
        result = image["result"]
        return ServedAnswer(
            status="done",
            label=result["label"],
            probability=float(result["probability"]),
            indeterminate_reason=result["indeterminate_reason"],
            warnings=tuple(warning["code"] for warning in result["warnings"]),
            model=result["model"],
            model_version=result["model_version"],
            weights_sha256=result["weights_sha256"],
            engine=result["engine"],
        )
    except (KeyError, TypeError) as error:
        raise ServedError(f"The site answers in another form than this version does: {error} is missing.") from error
