"""What a user may send in a minute and on a day, and the room that there must be: asked before a file is looked at."""

import shutil
from datetime import timedelta
from math import ceil

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnoses import audit
from diagnoses.audit import Actor
from diagnoses.models import AuditEvent
from diagnoses.models.audit import AuditAction
from diagnoses.services.submission import SubmissionError
from diagnoses.storage import quarantine

_ON_RECORD_FOR = timedelta(minutes=1)
# One statement, so that two requests at once cannot both have the last of it. What is refused is not counted.
_COUNT = """
INSERT INTO diagnoses_uploadcount AS had (user_id, minute, files, day, sent_bytes)
VALUES (%(user)s, date_trunc('minute', now()), %(files)s, (now() AT TIME ZONE 'UTC')::date, %(bytes)s)
ON CONFLICT (user_id) DO UPDATE SET
    minute = EXCLUDED.minute,
    files = CASE WHEN had.minute = EXCLUDED.minute THEN had.files ELSE 0 END + EXCLUDED.files,
    day = EXCLUDED.day,
    sent_bytes = CASE WHEN had.day = EXCLUDED.day THEN had.sent_bytes ELSE 0 END + EXCLUDED.sent_bytes
WHERE (had.minute <> EXCLUDED.minute OR had.files + EXCLUDED.files <= %(most_files)s)
  AND (had.day <> EXCLUDED.day OR had.sent_bytes + EXCLUDED.sent_bytes <= %(most_bytes)s)
RETURNING 1
"""
_WHEN_AGAIN = """
SELECT minute = date_trunc('minute', now()) AND files + %(files)s > %(most_files)s,
       day = (now() AT TIME ZONE 'UTC')::date AND sent_bytes + %(bytes)s > %(most_bytes)s,
       60 - extract(second FROM now()),
       86400 - extract(epoch FROM (now() AT TIME ZONE 'UTC') - (now() AT TIME ZONE 'UTC')::date)
FROM diagnoses_uploadcount WHERE user_id = %(user)s
"""


class QuotaError(SubmissionError):
    """So much was sent in this minute or on this day already that nothing more is taken until it is over."""

    retry_after_seconds: int

    def __init__(self, words: str, retry_after_seconds: int) -> None:
        super().__init__(words)
        self.retry_after_seconds = retry_after_seconds


class NoRoomError(SubmissionError):
    """The disk is nearly full; what is left of it is kept for what was taken in already."""

    retry_after_seconds = 60


def check_disk(actor: Actor) -> None:
    """Raises NoRoomError where files would fill up the disk that they are looked at on."""
    if shutil.disk_usage(quarantine.folder()).free >= settings.CXR_MIN_FREE_BYTES:
        return
    _put_on_record(actor, "no_room")
    raise NoRoomError(
        _("The server's disk is nearly full, and nothing more is taken. Nothing was kept: tell your administrator.")
    )


def count(actor: Actor, files: int, sent_bytes: int = 0) -> None:
    """Count what the actor sends. Raises QuotaError where it is more than they may, and then counts nothing."""
    if actor.user is None:
        return  # who is nobody is refused later
    if files > settings.CXR_UPLOADS_PER_MINUTE:
        raise _too_many_files(actor, 60)
    if sent_bytes > settings.CXR_UPLOAD_BYTES_PER_DAY:
        raise _too_many_bytes(actor, 24 * 60 * 60)
    said = {
        "user": actor.user.pk,
        "files": files,
        "bytes": sent_bytes,
        "most_files": settings.CXR_UPLOADS_PER_MINUTE,
        "most_bytes": settings.CXR_UPLOAD_BYTES_PER_DAY,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, said)
        if cursor.fetchone():
            return
        cursor.execute(_WHEN_AGAIN, said)
        is_the_minute, is_the_day, minute_left, day_left = cursor.fetchone()
    if is_the_day and not is_the_minute:
        raise _too_many_bytes(actor, day_left)
    # Neither where the minute or the day has ended between the two statements: then there is room again.
    raise _too_many_files(actor, minute_left if is_the_minute else 1)


def _too_many_files(actor: Actor, seconds_left: float) -> QuotaError:
    _put_on_record(actor, "files_per_minute")
    seconds = max(1, ceil(seconds_left))
    words = _(
        "You sent more files than the {most} that are taken from one user in a minute. Nothing was kept: send these "
        "again in {seconds} s."
    )
    return QuotaError(words.format(most=settings.CXR_UPLOADS_PER_MINUTE, seconds=seconds), seconds)


def _too_many_bytes(actor: Actor, seconds_left: float) -> QuotaError:
    _put_on_record(actor, "bytes_per_day")
    seconds = max(1, ceil(seconds_left))
    words = _(
        "You sent more than the {most} MB that are taken from one user in a day. Nothing was kept: send these again in "
        "{hours} h, or ask your administrator to raise the limit."
    )
    most = settings.CXR_UPLOAD_BYTES_PER_DAY // 1024**2
    return QuotaError(words.format(most=most, hours=ceil(seconds / 3600)), seconds)


def _put_on_record(actor: Actor, code: str) -> None:
    """Once in a while: a program that asks again and again must not fill the record."""
    lately = AuditEvent.objects.filter(
        action=AuditAction.UPLOAD_REFUSED,
        actor_name=actor.name,
        at__gt=timezone.now() - _ON_RECORD_FOR,
        detail__rejected=[code],
    )
    if not lately.exists():
        audit.record(AuditAction.UPLOAD_REFUSED, actor, rejected=[code])
