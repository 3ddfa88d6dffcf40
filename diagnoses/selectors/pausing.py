"""Whether the AI is paused."""

from typing import Any

from django.core.cache import cache
from django.db.models import Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from diagnoses.models import PauseChange

_KEY = "pause"
_KEPT_SECONDS = 1


def current_pause() -> PauseChange | None:
    """The pause that lasts, if one does."""
    last = PauseChange.objects.order_by("-id").first()
    return last if last and last.paused else None


def pause_of_late() -> PauseChange | None:
    """The same for pages, which ask often: it may be a second old."""
    pause: PauseChange | None = cache.get_or_set(_KEY, current_pause, _KEPT_SECONDS)
    return pause


def forget() -> None:
    """Have this process look anew."""
    cache.delete(_KEY)


def pause(request: HttpRequest) -> dict[str, Any]:
    """For every template: the pause that lasts, looked for only where a page speaks of it."""
    return {"pause": SimpleLazyObject(pause_of_late)}


def not_paused() -> Exact:
    """A condition for jobs that are to be taken only while the AI is not paused; it is decided once for all rows."""
    last = PauseChange.objects.order_by("-id").values("paused")[:1]
    return Exact(Coalesce(Subquery(last), Value(False)), Value(False))
