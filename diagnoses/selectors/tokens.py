"""API tokens: whose they are, and whether one still opens anything."""

import hashlib
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from diagnoses.models import ApiToken
from diagnoses.models.token import PREFIX
from diagnoses.selectors.viewers import Viewer


def digest_of(secret: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def tokens_of(user: Viewer) -> QuerySet[ApiToken]:
    """A user's own tokens, newest first."""
    return ApiToken.objects.filter(user=user.pk)


def live_tokens_of(user: Viewer) -> QuerySet[ApiToken]:
    """Those of them that open something."""
    return tokens_of(user).filter(revoked_at=None, expires_at__gt=timezone.now())


def find_token(secret: str) -> ApiToken | None:
    """The token with its user, whatever has become of it. What does not look like one is not looked for."""
    if not secret.startswith(PREFIX):
        return None
    return ApiToken.objects.select_related("user").filter(digest=digest_of(secret)).first()


def token_now(token: ApiToken) -> ApiToken | None:
    """The same token, with its user, as both are in the database at this moment."""
    return ApiToken.objects.select_related("user").filter(pk=token.pk).first()


def refusal_of(token: ApiToken) -> str:
    """Why this token opens nothing, and what to do; empty where it is good."""
    if not token.user.is_active:
        return _("The account of this token is deactivated. Ask your administrator.")
    if token.revoked_at:
        words = _("This token was revoked on {date}. Make a new one under API tokens.")
        return words.format(date=_day(token.revoked_at))
    if token.expires_at <= timezone.now():
        words = _("This token expired on {date}. Make a new one under API tokens.")
        return words.format(date=_day(token.expires_at))
    return ""


def _day(at: datetime) -> str:
    return date_format(timezone.localtime(at), "SHORT_DATE_FORMAT")
