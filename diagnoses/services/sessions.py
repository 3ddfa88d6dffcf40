"""Ending sessions: at once, and for good."""

from allauth.account.utils import user_pk_to_url_str
from allauth.usersessions.models import UserSession
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone

_PENDING = "account_login"
"""Where a sign-in that waits for its second factor is kept in the session."""


def end_sessions_of(*, user: User, but: str | None = None) -> int:
    """End all sessions of a user, also half-made sign-ins, but for the one with the key `but`. How many there were.

    The sessions themselves are looked through, since not every one need be in the list that the user sees.
    """
    keys = [row.session_key for row in _standing(but) if _is_of(row, user)]
    UserSession.objects.filter(user=user).exclude(session_key=but or "").delete()
    return Session.objects.filter(session_key__in=keys).delete()[0]


def forget_ended_sessions() -> int:
    """Remove the rows of sessions that ended by themselves, and of the users' lists with them. How many there were."""
    count = Session.objects.filter(expire_date__lte=timezone.now()).delete()[0]
    UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()
    return count


def _standing(but: str | None) -> list[Session]:
    return list(Session.objects.filter(expire_date__gt=timezone.now()).exclude(session_key=but or ""))


def _is_of(row: Session, user: User) -> bool:
    data = row.get_decoded()
    pending = data.get(_PENDING)
    half_made = isinstance(pending, dict) and pending.get("user_pk") == user_pk_to_url_str(user)
    return data.get(SESSION_KEY) == str(user.pk) or half_made
