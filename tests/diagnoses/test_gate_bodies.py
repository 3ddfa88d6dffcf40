"""How much of a request is written down, and for how long it is waited for, before Django sees it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import translation

from cxrsite.asgi import application
from diagnoses import bodies
from diagnoses.bodies import BoundedBodies

MB = 1024 * 1024
SENDER = [(b"authorization", b"Token x"), (b"host", b"localhost")]


class Site:
    """Reads a body as Django does, and says how much came."""

    def __init__(self) -> None:
        self.read = 0
        self.was_asked = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.was_asked = True
        while True:
            message = await receive()
            self.read += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


async def pieces(size: int, count: int, pause: float = 0.0) -> AsyncIterator[dict[str, Any]]:
    for number in range(count):
        if pause:
            await asyncio.sleep(pause)
        yield {"type": "http.request", "body": bytes(size), "more_body": number < count - 1}


def ask(
    app: Any,
    body: AsyncIterator[dict[str, Any]],
    path: str = "/api/v1/studies/",
    headers: list[tuple[bytes, bytes]] | None = None,
    scheme: str = "http",
) -> tuple[int, dict[str, Any], dict[bytes, bytes]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return await anext(body, {"type": "http.disconnect"})

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "scheme": scheme,
        "query_string": b"",
        "headers": SENDER if headers is None else headers,
        "client": ("192.0.2.7", 1),
    }
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"]), dict(sent[0]["headers"])


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_refusal_carries_the_headers_of_every_answer(site: Site, settings: LazySettings, client: Client) -> None:
    settings.CXR_MAX_REQUEST_BYTES = 1
    settings.SECURE_HSTS_SECONDS = 3600
    _, _, headers = ask(
        BoundedBodies(site), pieces(MB, 1), headers=[*SENDER, (b"content-length", b"9")], scheme="https"
    )
    usual = client.get("/healthz", secure=True).headers
    everywhere = ("-policy", "strict-", "x-content-type")
    shared = [name for name in map(str.lower, usual) if any(part in name for part in everywhere)]
    assert len(shared) > 6
    for name in shared:
        assert headers[name.encode()].decode() == usual[name]
    assert headers[b"content-security-policy"] == b"default-src 'none'; frame-ancestors 'none'; sandbox"
    assert headers[b"strict-transport-security"].startswith(b"max-age=3600")
    assert b"no-store" in headers[b"cache-control"]


def test_what_a_stranger_sends_makes_no_line_of_its_own_in_the_log(
    site: Site, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1
    ask(BoundedBodies(site), pieces(MB, 1), "/x\n2026-01-01T00:00:00 WARNING forged", [(b"content-length", b"9")])
    [record] = caplog.records
    assert "\n" not in record.getMessage()
    assert "forged" in record.getMessage()


def test_a_body_within_the_limits_goes_through(site: Site) -> None:
    assert ask(BoundedBodies(site), pieces(MB, 20))[0] == 200
    assert site.read == 20 * MB


def test_a_request_that_declares_too_much_is_refused_before_any_of_it_is_read(
    site: Site, settings: LazySettings
) -> None:
    settings.CXR_MAX_REQUEST_BYTES = 10 * MB
    status, said, headers = ask(
        BoundedBodies(site), pieces(MB, 1), headers=[*SENDER, (b"content-length", b"%d" % (11 * MB))]
    )
    assert (status, said["error"]["code"]) == (413, "request_too_large")
    assert said["detail"] == "This is more than the 10 MB that are taken at once here. Send it in parts."
    assert headers[b"connection"] == b"close"
    assert not site.was_asked


def test_a_request_that_declares_little_and_sends_too_much_is_cut_off(site: Site, settings: LazySettings) -> None:
    settings.CXR_MAX_REQUEST_BYTES = 10 * MB
    headers = [*SENDER, (b"content-length", b"10")]
    assert ask(BoundedBodies(site), pieces(MB, 1000), headers=headers)[0] == 413
    assert site.read == 10 * MB


def test_an_endless_body_is_cut_off(site: Site, settings: LazySettings) -> None:
    settings.CXR_MAX_REQUEST_BYTES = 10 * MB
    assert ask(BoundedBodies(site), pieces(MB, 10**9))[0] == 413


@pytest.mark.parametrize("path", ["/sign-in/", "/send/header/", "/api/v1/models/", "/nowhere/"])
def test_where_no_files_are_taken_little_is(site: Site, path: str) -> None:
    assert ask(BoundedBodies(site), pieces(MB, 4), path)[0] == 413
    assert site.read < 3 * MB


@pytest.mark.parametrize("path", ["/send/", "/send/files/", "/api/v1/studies/"])
def test_who_brings_neither_session_nor_token_sends_little(site: Site, path: str) -> None:
    assert ask(BoundedBodies(site), pieces(MB, 4), path, [(b"host", b"localhost")])[0] == 413
    assert ask(BoundedBodies(site), pieces(MB, 4), path, [(b"cookie", b"sessionid=1")])[0] == 200


def test_a_body_that_stops_coming_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SILENT_SECONDS", 0.1)
    began = time.monotonic()
    status, said, _ = ask(BoundedBodies(site), pieces(10, 3, pause=5))
    assert (status, said["error"]["code"]) == (408, "too_slow")
    assert time.monotonic() - began < 2


def test_a_body_that_drips_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SLOW_SECONDS", 0.2)
    assert ask(BoundedBodies(site), pieces(1, 1000, pause=0.02))[0] == 408
    assert site.read < 30


def test_a_page_that_is_followed_for_long_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a body is there, Django listens for the end of the connection for as long as it answers."""
    monkeypatch.setattr(bodies, "SILENT_SECONDS", 0.05)

    async def follow(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def messages() -> AsyncIterator[dict[str, Any]]:
        yield {"type": "http.request", "body": b""}
        await asyncio.sleep(0.3)
        yield {"type": "http.disconnect"}

    assert ask(BoundedBodies(follow), messages())[0] == 200


@pytest.mark.parametrize("declares", [True, False])
def test_a_body_that_would_fill_the_disk_is_refused(site: Site, settings: LazySettings, declares: bool) -> None:
    settings.CXR_MIN_FREE_BYTES = 2**60
    length = [(b"content-length", b"%d" % (40 * MB))] if declares else []
    status, said, headers = ask(BoundedBodies(site), pieces(MB, 40), headers=[*SENDER, *length])
    assert (status, said["error"]["code"], headers[b"retry-after"]) == (503, "no_room", b"60")
    assert site.read <= (0 if declares else 17 * MB)


def test_the_words_are_in_the_senders_language(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = translation.override

    def override(language: str) -> Any:
        asked.append(language)
        return real(language)

    monkeypatch.setattr(translation, "override", override)
    ask(BoundedBodies(site), pieces(MB, 4), "/sign-in/", [*SENDER, (b"accept-language", b"vi,en;q=0.5")])
    assert asked == ["vi"]


def test_the_site_answers_through_these_bounds() -> None:
    assert isinstance(application, BoundedBodies)
    assert ask(application, pieces(MB, 4), "/sign-in/")[0] == 413
