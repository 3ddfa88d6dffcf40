"""How much of a request is written down, and for how long it is waited for, before Django is asked anything.

Django reads a request's body whole, to memory and then to a temporary file, before it knows the address, the user or
whether anybody will look at it. uvicorn waits for it without end. Both are bounded here.
"""

import asyncio
import logging
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import reverse
from django.utils import translation
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SILENT_SECONDS = 30.0
"""So long nothing of a body may come."""
SLOW_SECONDS = 60.0
"""After so long a body must have come at the least pace."""
LEAST_BYTES_PER_SECOND = 8 * 1024
_LOOK_AT_DISK_EACH = 16 * 1024 * 1024
_log = logging.getLogger(__name__)


class BodyError(Exception):
    """The body is not taken; the words are for its sender, once their language is known."""

    def __init__(self, code: str, status: int, words: "StrPromise", most: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self._words = words
        self._most = most

    @property
    def words(self) -> str:
        """In the language that counts here."""
        return str(self._words).format(most=self._most)


class BoundedBodies:
    """An ASGI application around Django's. Files may come to where studies are sent, and little to anywhere else."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, declared_bytes(scope), self._most_bytes(scope))

        async def send_unless_refused(message: Message) -> None:
            if not body.error:
                await send(message)

        body.check_declared()
        if not body.error:
            await self._app(scope, body.receive, send_unless_refused)
        if error := body.error:
            _log.warning("A body was refused (%s) at %r from %s", error.code, scope["path"], scope.get("client"))
            await _answer(scope, send, error)

    def _most_bytes(self, scope: Scope) -> int:
        """Who brings nothing to be known by has nothing to send: files come with a session or a token alone."""
        brings = {name for name, value in scope["headers"] if value} & {b"cookie", b"authorization"}
        takes_files = brings and scope["path"] in self._for_files
        return int(settings.CXR_MAX_REQUEST_BYTES if takes_files else settings.DATA_UPLOAD_MAX_MEMORY_SIZE)

    @cached_property
    def _for_files(self) -> set[str]:
        return {reverse("send"), reverse("send_file"), reverse("api_studies")}


def declared_bytes(scope: Scope) -> int:
    """What the request says of its body; 0 where it says nothing."""
    said = dict(scope["headers"]).get(b"content-length", b"0")
    return int(said) if said.isdigit() else 0


class _Body:
    """A request's body as it comes in."""

    def __init__(self, receive: Receive, declared: int, most: int) -> None:
        self._receive = receive
        self._declared = declared
        self._most = most
        self._came = self._looked_at = 0
        self._began = time.monotonic()
        self._is_whole = False
        self.error: BodyError | None = None

    def check_declared(self) -> None:
        """Whether the body is too much by its own word."""
        try:
            self._check_size(self._declared)
            if self._declared > _LOOK_AT_DISK_EACH:
                _check_disk(self._declared)
        except BodyError as error:
            self.error = error

    async def receive(self) -> Message:
        """The next piece. Where there are too many, or too few for too long, the sender is said to have gone.

        That is what Django gives up for, and puts away what it has: the answer is ours then.
        """
        if self._is_whole:
            return await self._receive()
        try:
            return await self._piece()
        except BodyError as error:
            self.error = error
            return {"type": "http.disconnect"}

    async def _piece(self) -> Message:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                message = await self._receive()
        except TimeoutError:
            raise _too_slow() from None
        self._is_whole = message["type"] != "http.request" or not message.get("more_body", False)
        self._came += len(message.get("body", b""))
        self._check_size(self._came)
        if self._came - self._looked_at > _LOOK_AT_DISK_EACH:
            self._looked_at = self._came
            _check_disk(0)
        late = time.monotonic() - self._began - SLOW_SECONDS
        if not self._is_whole and late * LEAST_BYTES_PER_SECOND > self._came:
            raise _too_slow()
        return message

    def _check_size(self, size: int) -> None:
        if size > self._most:
            words = _("This is more than the {most} MB that are taken at once here. Send it in parts.")
            raise BodyError("request_too_large", 413, words, most=self._most // 1024**2)


def _check_disk(declared: int) -> None:
    """A body lies in a temporary file first, and its files in quarantine then."""
    for place in (Path(tempfile.gettempdir()), Path(settings.MEDIA_ROOT)):
        if place.exists() and shutil.disk_usage(place).free - declared < settings.CXR_MIN_FREE_BYTES:
            words = _("The server's disk is nearly full, and nothing more is taken. Tell your administrator.")
            raise BodyError("no_room", 503, words)


def _too_slow() -> BodyError:
    return BodyError("too_slow", 408, _("What was sent came too slowly. Send it again, or in parts."))


async def _answer(scope: Scope, send: Send, error: BodyError) -> None:
    """The connection is closed: what still comes on it is the rest of what was refused."""
    request = ASGIRequest(scope, BytesIO())
    with translation.override(translation.get_language_from_request(request)):
        words = error.words
    response = JsonResponse({"error": {"code": error.code, "message": words}, "detail": words}, status=error.status)
    response["Content-Length"] = str(len(response.content))
    response["Connection"] = "close"
    if error.status == 503:
        response["Retry-After"] = "60"
    said = _dressed(request, response).items()
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in said]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})


def _dressed(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """With the headers that every answer carries."""

    def answer(_: HttpRequest) -> HttpResponseBase:
        return response

    for path in reversed(settings.CXR_DRESSERS):
        answer = import_string(path)(answer)
    return answer(request)
