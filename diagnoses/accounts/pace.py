"""How much one user's browsers may fetch: who may see every study cannot take all of them along in no time."""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin

_MINUTE = 60
_SAFE = ("GET", "HEAD")
"""What sends something has bounds of its own."""


class PaceMiddleware(MiddlewareMixin):
    """Answers 429 above `CXR_PAGES_PER_MINUTE`. Counted by Django's cache: by default in each web process."""

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Count a page, a picture or whatever else a signed-in browser fetches. Tokens have a bound of their own."""
        user = request.user
        if request.method not in _SAFE or not isinstance(user, User):
            return None
        minute, second = divmod(int(time.time()), _MINUTE)
        if _counted(f"fetched-{user.pk}-{minute}") <= settings.CXR_PAGES_PER_MINUTE:
            return None
        response = render(request, "429.html", status=429)
        response["Retry-After"] = str(_MINUTE - second)
        return response


def _counted(key: str) -> int:
    """One more of these, and how many there are now."""
    cache.add(key, 0, 2 * _MINUTE)
    try:
        return cache.incr(key)
    except ValueError:  # a full cache has dropped it in between
        return 1
