"""What each request has to be, and each answer carries, whatever the view: for pages, files and the API alike."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils.decorators import sync_and_async_middleware

_Answering = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]

_PAGES = ("text/html", "application/pdf")
"""Kinds that a browser shows with what they bring along; a sandbox would keep it from showing a PDF at all."""
_PROBES = ("/healthz", "/readyz")
_OUR_OWN = ("same-origin", "none")
"""Where a request may come from: one of our pages, or the person (an address typed, a bookmark)."""


@sync_and_async_middleware
def resource_headers(get_response: _Answering) -> _Answering:
    """No other site embeds an answer; what is no page runs nothing if it is opened as one; nothing is kept unasked."""
    return _around(get_response, lambda _: None, _dress)


@sync_and_async_middleware
def fetch_metadata(get_response: _Answering) -> _Answering:
    """Refuse what another site's page has a browser ask for, but for links that are followed to us."""
    return _around(get_response, _refuse_what_others_ask, lambda response: response)


def _around(
    get_response: _Answering,
    before: Callable[[HttpRequest], None],
    after: Callable[[HttpResponseBase], HttpResponseBase],
) -> _Answering:
    if iscoroutinefunction(get_response):

        async def answer_later(request: HttpRequest) -> HttpResponseBase:
            before(request)
            return after(await cast(Awaitable[HttpResponseBase], get_response(request)))

        return answer_later

    def answer(request: HttpRequest) -> HttpResponseBase:
        before(request)
        return after(cast(HttpResponseBase, get_response(request)))

    return answer


def _dress(response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    response.headers.setdefault("Cache-Control", "no-store, private")
    if not response.headers.get("Content-Type", "").startswith(_PAGES):
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
    return response


def _refuse_what_others_ask(request: HttpRequest) -> None:
    """Raises PermissionDenied. A program sends no such headers, and one with a token of its own stands for itself."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if site in _OUR_OWN or "Authorization" in request.headers or request.path_info in _PROBES:
        return
    is_link = (
        request.headers.get("Sec-Fetch-Mode") == "navigate" and request.headers.get("Sec-Fetch-Dest") == "document"
    )
    if not (is_link and request.method in ("GET", "HEAD")):
        with suppress(Resolver404):  # for the record, which says what was asked for
            request.resolver_match = resolve(request.path_info)
        raise PermissionDenied
