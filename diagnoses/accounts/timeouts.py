"""How long a session lasts: so long without anybody at it, and so long at most."""

import time
from importlib import import_module
from typing import Any

from allauth.core.internal.sessionkit import get_session_user
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

BEGAN = "began"
SEEN = "seen"
_WRITTEN_EVERY = 60.0
"""Seconds: more often it is not noted that somebody is there."""


def clock() -> float:
    """Now, in seconds."""
    return time.time()


def begin(session: SessionBase) -> None:
    """Somebody has just signed in."""
    session[BEGAN] = session[SEEN] = clock()


def seconds_left(session: SessionBase) -> float:
    """Until it ends where nobody touches it; none where it does not say since when it stands."""
    began, seen = session.get(BEGAN), session.get(SEEN)
    if not isinstance(began, float) or not isinstance(seen, float):
        return 0.0
    ends = min(began + settings.CXR_SESSION_SECONDS, seen + settings.CXR_IDLE_SECONDS)
    return max(0.0, float(ends) - clock())


def is_at_its_last(session: SessionBase) -> bool:
    """Whether staying at it no longer helps: the next end is that of the whole session."""
    began, seen = session.get(BEGAN, 0.0), session.get(SEEN, 0.0)
    return bool(began + settings.CXR_SESSION_SECONDS <= seen + settings.CXR_IDLE_SECONDS)


def touch(session: SessionBase, *, at_once: bool = False) -> None:
    """Somebody is there."""
    if at_once or clock() - session.get(SEEN, 0.0) >= _WRITTEN_EVERY:
        session[SEEN] = clock()


def session_stands(key: str | None) -> bool:
    """Whether the session with this key has neither ended nor been ended, nor its user's account been switched off."""
    session: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(key)
    return get_session_user(session) is not None and seconds_left(session) > 0


def standing_sessions(request: HttpRequest) -> list[UserSession]:
    """The list of a user's sessions, this one among them, the oldest first."""
    listed = UserSession.objects.filter(user_id=request.user.pk).order_by("created_at", "pk")
    # This one stands, but may have got a key in this very request under which it is not kept yet.
    return [row for row in listed if row.is_current() or session_stands(row.session_key)]


def session_left(request: HttpRequest) -> dict[str, Any]:
    """For every template: how many seconds the session has left."""
    session = getattr(request, "session", None)
    return {"session_left": round(seconds_left(session)) if session is not None else 0}
