"""What a session knows of its user's second factor, so that no request has to ask the database for it."""

from allauth.account.authentication import get_authentication_records
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from diagnoses.selectors.second_factors import has_second_factor

_KEY = "second_factor"
_PASSED = "passed"
_NONE = "none"


def note_factor(request: HttpRequest, user: User) -> None:
    """At sign-in, however that was done: whether a factor was shown, or there is none. Anything else is owed."""
    records = get_authentication_records(request, user)
    if any(record.get("method") == "mfa" for record in records):
        request.session[_KEY] = _PASSED
    elif not has_second_factor(user):
        request.session[_KEY] = _NONE


def note_added(session: SessionBase) -> None:
    """The session's user has just set one up in it, and shown by that to have it."""
    session[_KEY] = _PASSED


def note_removed(session: SessionBase) -> None:
    """The session's user has just removed the last one in it."""
    session[_KEY] = _NONE


def is_owed(session: SessionBase) -> bool:
    """Whether there is a factor that was not shown."""
    return session.get(_KEY) not in (_PASSED, _NONE)


def may_be_lacking(session: SessionBase) -> bool:
    """Whether there was none at sign-in."""
    return bool(session.get(_KEY) != _PASSED)
