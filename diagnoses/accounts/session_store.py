"""The sessions' store: Django's own, with a user's list of sessions kept in step."""

from allauth.core import context
from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    """A session in the database."""

    def cycle_key(self) -> None:
        """Take a new key, and the session's row in the list along.

        Not where another session is looked at in a request: Django asks it of each that it reads while
        `SECRET_KEY_FALLBACKS` holds the key that signed it, and that one's browser would never learn of the new key.
        """
        request = context.request
        if request is not None and request.session is not self:
            return
        before = self.session_key
        super().cycle_key()
        UserSession.objects.filter(session_key=before).update(session_key=self.session_key)
