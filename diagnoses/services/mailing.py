"""Sending notices by e-mail to those who want them: that something waits, and where, with nothing of any patient."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import send_mail
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import translation
from django.utils.translation import gettext as _

from diagnoses.models import Notification
from diagnoses.models.people import NoticeKind
from diagnoses.selectors.notices import notices_of

_UNSEEN_FOR = timedelta(minutes=1)
"""Who looks at a page meanwhile needs no mail. Urgent ones do not wait."""
_AT_ONCE = [NoticeKind.URGENT_PNEUMONIA, NoticeKind.URGENT_ANSWERED, NoticeKind.GLASS_BROKEN]
_NOT_OLDER_THAN = timedelta(days=1)
_MAIL_LOCK = 0x637874  # "cxt": any number, as long as nothing else in this database locks it

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mailed:
    """To how many users a mail went, and to how many it could not be sent."""

    sent: int = 0
    failed: int = 0


def mail_notices() -> Mailed:
    """One mail to each user of whose notices some wait to be mailed.

    Each notice is mailed at least once: it is noted after the mail server took it, and were the note lost, it is sent
    again. Where one user's mail is refused the others' are sent all the same, and it is tried again next time.
    """
    outcomes = [_mail(user) for user in User.objects.filter(Exists(_waiting().filter(user=OuterRef("pk"))))]
    return Mailed(sum(outcome is True for outcome in outcomes), sum(outcome is False for outcome in outcomes))


def _waiting() -> QuerySet[Notification]:
    wanted = Notification.objects.filter(mailed_at=None, seen_at=None, user__is_active=True).exclude(user__email="")
    due = Q(kind__in=_AT_ONCE) | Q(created_at__lte=Now() - _UNSEEN_FOR)
    return wanted.filter(due, user__profile__wants_mail=True, created_at__gt=Now() - _NOT_OLDER_THAN).order_by("id")


def _mail(user: User) -> bool | None:
    """Whether it could be sent; None where nothing waits any more, or another scheduler is at it."""
    with transaction.atomic():
        if not _take_mail_lock():
            return None
        notices = list(_waiting().filter(pk__in=notices_of(user)).values_list("pk", flat=True))
        if not notices:
            return None
        try:
            _send(user)
        except (SMTPException, OSError) as error:
            _log.warning("A notice could not be mailed to %s (%s); trying again.", user.get_username(), error)
            return False
        Notification.objects.filter(pk__in=notices).update(mailed_at=Now())
    return True


def _send(user: User) -> None:
    with translation.override(user.profile.language or settings.LANGUAGE_CODE):
        subject = _("Something waits for you at the chest X-ray reader")
        text = _("Something waits for you at the chest X-ray reader. Sign in to see it: %(address)s") % {
            "address": f"{settings.CXR_SITE_URL}/"
        }
        send_mail(subject, f"{text}\n", settings.DEFAULT_FROM_EMAIL, [user.email])


def _take_mail_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_MAIL_LOCK])
        return bool(cursor.fetchone()[0])
