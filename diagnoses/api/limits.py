"""How much one token, one user and all of them together may ask of a web process at once."""

import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from diagnoses.models import ApiToken

WAITS_OF_A_USER = 20
WAITS_OF_ALL = 200
"""Each holds a thread of the web process."""
_RETRY_AFTER_SECONDS = 5


class TokenThrottle(SimpleRateThrottle):
    """So many requests a minute with one token. They are counted by Django's cache: by default in each web process."""

    scope = "token"

    def get_rate(self) -> str:
        """As the site has set it."""
        return f"{settings.CXR_API_PER_MINUTE}/min"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        """By the token; a request without one is refused by others."""
        return f"api-token-{request.auth.pk}" if isinstance(request.auth, ApiToken) else None


class Places:
    """Bounds how many are in at once, of one and of all."""

    def __init__(self, of_one: int, of_all: int) -> None:
        self._of_one = of_one
        self._of_all = of_all
        self._taken: Counter[Hashable] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, who: Hashable) -> Iterator[None]:
        """Hold a place. Raises Throttled, which is 429 with Retry-After, where there is none."""
        with self._lock:
            if self._taken[who] >= self._of_one or self._taken.total() >= self._of_all:
                raise Throttled(
                    _RETRY_AFTER_SECONDS, _("Too many requests wait for answers already. Wait with fewer at once.")
                )
            self._taken[who] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[who] -= 1
                if not self._taken[who]:
                    del self._taken[who]


waits = Places(WAITS_OF_A_USER, WAITS_OF_ALL)
