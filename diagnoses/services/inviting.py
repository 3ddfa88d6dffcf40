"""Inviting a user to choose a password: the first one, or a new one for one that was lost."""

import hashlib
import logging
import secrets
from datetime import datetime, timedelta
from smtplib import SMTPException

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import send_mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from diagnoses import audit
from diagnoses.audit import Actor
from diagnoses.models import Invitation
from diagnoses.models.audit import AuditAction

VALID_DAYS = 3
_TOKEN_BYTES = 32

_log = logging.getLogger(__name__)


def clock() -> datetime:
    """Now."""
    return timezone.now()


@transaction.atomic
def invite(*, user: User, actor: Actor) -> str:
    """The path of a link with which the user chooses a password, once. Links from before are void."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    _lock(user)
    void_invitations(user=user)
    Invitation.objects.create(user=user, token_hash=_hash(token), expires_at=clock() + timedelta(days=VALID_DAYS))
    audit.record(AuditAction.ACCOUNT_INVITED, actor, user)
    return reverse("invitation", args=[token])


def void_invitations(*, user: User) -> None:
    """Links that were not used count no more: who was to choose a password then may be somebody else now."""
    Invitation.objects.filter(user=user, used_at=None).delete()


def mail_invitation(*, user: User, path: str) -> bool:
    """Send the link to the user, where there is a mail server and an address. Whether it was sent.

    In all languages of the site: who has not been here yet has chosen none.
    """
    if not settings.CXR_SENDS_MAIL or not user.email:
        return False
    link = f"{settings.CXR_SITE_URL}{path}"
    said = dict(_words(language, link) for language, _name in settings.LANGUAGES)
    subject, text = " / ".join(said), "\n\n".join(said.values())
    try:
        send_mail(subject, f"{text}\n", settings.DEFAULT_FROM_EMAIL, [user.email])
    except (SMTPException, OSError) as error:
        _log.warning("An invitation could not be mailed to %s (%s).", user.get_username(), error)
        return False
    return True


def invited_user(token: str) -> User | None:
    """Whose link it is, as long as it counts."""
    invitation = _standing(token)
    return invitation.user if invitation else None


@transaction.atomic
def accept_invitation(*, token: str, password: str) -> bool:
    """Set the password. False where the link has been used meanwhile, or counts no more."""
    user = invited_user(token)
    if user is None:
        return False
    user.set_password(password)  # this takes a while, for which nobody waits
    _lock(user)
    invitation = _standing(token)
    if invitation is None:
        return False
    invitation.used_at = clock()
    invitation.save()
    user.save(update_fields=["password"])
    return True


@transaction.atomic
def remove_factors(*, user: User, actor: Actor) -> int:
    """For one who lost theirs: the next sign-in asks for the password alone, and then for a new factor."""
    factors = list(Authenticator.objects.filter(user=user))
    for factor in factors:
        factor.delete()
        audit.record(AuditAction.FACTOR_REMOVED, actor, user, type=factor.type)
    return len(factors)


def _standing(token: str) -> Invitation | None:
    rows = Invitation.objects.select_related("user").filter(used_at=None, expires_at__gt=clock(), user__is_active=True)
    return rows.filter(token_hash=_hash(token)).first()


def _lock(user: User) -> None:
    """Whoever makes, takes or voids an invitation holds its user's row first."""
    User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _words(language: str, link: str) -> tuple[str, str]:
    with translation.override(language):
        subject = _("Your account at the chest X-ray reader")
        text = _("Choose your password within %(days)s days. The link works once: %(link)s")
        return subject, text % {"days": VALID_DAYS, "link": link}
