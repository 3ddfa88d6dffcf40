"""Slowing down who guesses: by account and address together, and far later by an address alone.

Never by an account alone: whoever knows a name could lock its owner out from elsewhere. Each attempt is counted before
it is looked at, so that many at once count as many; one that turns out right is taken back.
"""

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from diagnoses.models import FailedAttempts

PAIR_FAILURES = 5
"""From this one on an account is locked for an address."""
ADDRESS_FAILURES = 100
"""Within an hour, whatever the names: far above what a hospital behind one address mistypes."""
_FIRST_LOCK = timedelta(minutes=1)
_LONGEST_LOCK = timedelta(hours=1)
_PAIR_FORGOTTEN = timedelta(hours=24)
_ADDRESS_FORGOTTEN = timedelta(hours=1)


class LockedError(Exception):
    """No attempt is taken for now."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"locked for {seconds} seconds")
        self.seconds = seconds


@dataclass(frozen=True)
class Attempt:
    """One that was counted."""

    pair: str
    address: str


def clock() -> datetime:
    """Now."""
    return timezone.now()


def begin_attempt(*, name: str, address: str) -> Attempt:
    """Count an attempt, before it is known to be right. Raises LockedError, which counts nothing."""
    attempt = Attempt(_key("pair", _plain(name), address), _key("address", address))
    now = clock()
    with transaction.atomic():
        # The pair first, always: two attempts never wait for each other crosswise.
        pair, of_address = _locked_row(attempt.pair, now), _locked_row(attempt.address, now)
        if until := max(filter(None, (_held(pair, now), _held(of_address, now))), default=None):
            raise LockedError(max(1, round((until - now).total_seconds())))
        if now - pair.last_at > _PAIR_FORGOTTEN:
            pair.failures = 0
        if now - of_address.first_at > _ADDRESS_FORGOTTEN:
            of_address.failures, of_address.first_at = 0, now
        for row, bound in ((pair, PAIR_FAILURES), (of_address, ADDRESS_FAILURES)):
            _count(row, bound, now)
    return attempt


def take_back(attempt: Attempt) -> None:
    """It was right: it counts no more, and what failed before still does."""
    with transaction.atomic():
        for key in (attempt.pair, attempt.address):
            row = FailedAttempts.objects.select_for_update().filter(key=key).first()
            if row is not None:
                row.failures, row.locked_until = max(0, row.failures - 1), None
                row.save()


def forget_failures(*, name: str, address: str) -> None:
    """The account was signed in to, with all that this takes, from this address."""
    FailedAttempts.objects.filter(key=_key("pair", _plain(name), address)).delete()


def forget_old_failures() -> int:
    """Remove rows that count no more."""
    old = FailedAttempts.objects.filter(last_at__lt=clock() - _PAIR_FORGOTTEN)
    return old.delete()[0]


def _locked_row(key: str, now: datetime) -> FailedAttempts:
    FailedAttempts.objects.bulk_create([FailedAttempts(key=key, first_at=now, last_at=now)], ignore_conflicts=True)
    return FailedAttempts.objects.select_for_update().get(key=key)


def _held(row: FailedAttempts, now: datetime) -> datetime | None:
    return row.locked_until if row.locked_until and row.locked_until > now else None


def _count(row: FailedAttempts, bound: int, now: datetime) -> None:
    row.failures += 1
    row.last_at = now
    over = row.failures - bound
    row.locked_until = now + min(_FIRST_LOCK * 2 ** min(over, 10), _LONGEST_LOCK) if over >= 0 else None
    row.save()


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _key(*parts: str) -> str:
    said = "\0".join(parts).encode()
    return hmac.new(b"failed sign-ins" + settings.SECRET_KEY.encode(), said, hashlib.sha256).hexdigest()
