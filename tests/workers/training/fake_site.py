"""A site that speaks the API on loopback, and answers as it is told."""

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from diagnoses.imaging.errors import ImageError
from tests.workers.training.fakes import FakeReader
from workers.inference.reader import Reading, ReadRequest

TOKEN = "the-very-secret-token"


@dataclass
class FakeSite:
    """What the site does, and what was sent to it."""

    reader: FakeReader
    engine: str = "made up"
    looks_until_done: int = 1
    """How often a study must be looked at before it is read."""
    rejected: Callable[[bytes], str] = lambda data: ""
    """The code with which a file is not even taken, or nothing."""
    change: Callable[[dict[str, Any]], None] = lambda image: None
    """The last word on each image of a study."""
    fail_with: list[tuple[int, bytes]] = field(default_factory=list)
    """Answers to give instead, first to last, one a request."""
    hang: threading.Event | None = None
    """Until it is set nothing is answered."""
    url: str = ""
    sent: list[list[bytes]] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    looks: int = 0
    studies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def take(self, body: bytes, boundary: bytes) -> tuple[int, dict[str, Any]]:
        files = []
        for part in body.split(b"--" + boundary)[1:-1]:
            head, _, value = part.partition(b"\r\n\r\n")
            if b'name="files"' in head:
                files.append((re.findall(rb'filename="([^"]*)"', head)[0].decode(), value.removesuffix(b"\r\n")))
            else:
                self.models.append(value.strip().decode())
        self.sent.append([data for _, data in files])
        images = [self._image(name, data) for name, data in files]
        taken = any(image["id"] for image in images)
        study = str(uuid.uuid4())
        self.studies[study] = images
        queued = [image if image["id"] is None else _queued(image) for image in images]
        return (202 if taken else 400), {"id": study if taken else None, "images": queued}

    def look(self, study: str) -> tuple[int, dict[str, Any]]:
        self.looks += 1
        images = self.studies[study]
        # In another order than they were sent in, and read one look later than was wished for.
        done = self.looks >= self.looks_until_done
        return 200, {"id": study, "images": [image if done else _queued(image) for image in images[::-1]]}

    def _image(self, name: str, data: bytes) -> dict[str, Any]:
        code = self.rejected(data)
        if code:
            return {"id": None, "filename": name, "status": "refused", "error": {"code": code, "message": "No."}}
        (answer,) = self.reader.read([ReadRequest(data)])
        image: dict[str, Any] = {"id": str(uuid.uuid4()), "filename": name, "status": "done", "error": None}
        if isinstance(answer, ImageError):
            image |= {"status": "refused", "error": {"code": answer.fault.value, "message": answer.message}}
        else:
            image["result"] = self._result(answer)
        self.change(image)
        return image

    def _result(self, reading: Reading) -> dict[str, Any]:
        card = self.reader.card
        return {
            "label": reading.label,
            "probability": reading.probability,
            "score": reading.score,
            "indeterminate": bool(reading.indeterminate_reason),
            "indeterminate_reason": reading.indeterminate_reason,
            "warnings": [{"code": code, "message": "Look."} for code in reading.warnings],
            "model": card.name,
            "model_version": card.version,
            "weights_sha256": card.weights_sha256,
            "engine": self.engine,
        }


def _queued(image: dict[str, Any]) -> dict[str, Any]:
    return {"id": image["id"], "filename": image["filename"], "status": "queued", "error": None}


class _Handler(BaseHTTPRequestHandler):
    site: FakeSite

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        boundary = self.headers["Content-Type"].partition("boundary=")[2].encode()
        self._answer(lambda: self.site.take(body, boundary))

    def do_GET(self) -> None:
        self._answer(lambda: self.site.look(self.path.rstrip("/").rpartition("/")[2]))

    def _answer(self, answer: Callable[[], tuple[int, dict[str, Any]]]) -> None:
        self.site.tokens.add(self.headers.get("Authorization", ""))
        if self.site.hang:
            self.site.hang.wait(60)
            return
        if self.site.fail_with:
            status, body = self.site.fail_with.pop(0)
        else:
            status, data = answer()
            body = json.dumps(data).encode()
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "https://elsewhere.example/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Nothing: the tests say what they need to know."""


@contextmanager
def running(site: FakeSite) -> Iterator[FakeSite]:
    """The site at its `url`, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        if site.hang:
            site.hang.set()
        server.shutdown()
        thread.join()
        server.server_close()
