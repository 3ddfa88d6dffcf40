"""What a user has chosen, in each request: it is kept in the session, so that no page asks the database for it."""

from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import translation
from django.utils.deprecation import MiddlewareMixin

from diagnoses.models import Profile
from diagnoses.models.people import Language, Theme

LANGUAGE = "language"
THEME = "theme"


class PreferencesMiddleware(MiddlewareMixin):
    """Speaks a signed-in user's own language, whatever the browser asks for."""

    def process_request(self, request: HttpRequest) -> None:
        """Switch to it. Without a choice the browser's stays."""
        language = request.session.get(LANGUAGE, "")
        if language in Language:
            translation.activate(language)
            request.LANGUAGE_CODE = translation.get_language()


def preferences(request: HttpRequest) -> dict[str, Any]:
    """For every template: the brightness that was chosen, and the choices there are."""
    session = getattr(request, "session", None)
    return {
        "theme": session.get(THEME, Theme.SYSTEM) if session is not None else Theme.SYSTEM,
        "themes": Theme,
        "languages": Language,
    }


def profile_of(user: User) -> Profile:
    """What the user has chosen, saved or as it comes."""
    return Profile.objects.filter(user=user).first() or Profile(user=user)


def remember(request: HttpRequest, profile: Profile) -> None:
    """Have the session's next requests follow the profile."""
    request.session[LANGUAGE] = profile.language
    request.session[THEME] = profile.theme


@receiver(user_logged_in)
def _recall(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    remember(request, profile_of(user))
