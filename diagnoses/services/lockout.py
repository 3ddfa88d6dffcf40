"""Slowing down who guesses: by account and address together, and far later by an address alone.

Never by an account alone, as long as no password was given: whoever knows a name could lock its owner out from
elsewhere. Codes of a second factor are counted by account as well, since only who knows the password comes to them.
Each attempt is counted before it is looked at, so that many at once count as many; one that turns out right is taken
back.
"""

import hashlib
import hmac
import ipaddress
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
CODE_FAILURES = 20
"""Codes of one account within a day, whatever the addresses."""
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_IPV6_NETWORK = 64
"""The bits of an address that a network is given: in it anybody has as many addresses as they like."""


class LockedError(Exception):
    """No attempt is taken for now."""

    def __init__(self, row: FailedAttempts, until: datetime) -> None:
        self.seconds = max(1, round((until - clock()).total_seconds()))
        self.lock = row.key, until
        super().__init__(f"locked for {self.seconds} seconds")


@dataclass(frozen=True)
class Attempt:
    """One that was counted, under these keys."""

    keys: tuple[str, ...]


@dataclass(frozen=True)
class _Bound:
    """From how many failures on it is locked, for how long, doubling, and when failures are forgotten."""

    failures: int
    first_lock: timedelta
    longest_lock: timedelta
    forgotten: timedelta
    since_last: bool


_PAIR = _Bound(PAIR_FAILURES, _MINUTE, _HOUR, forgotten=_DAY, since_last=True)
_CODES = _Bound(CODE_FAILURES, _HOUR, _DAY, forgotten=_DAY, since_last=False)
_ADDRESS = _Bound(ADDRESS_FAILURES, _MINUTE, _HOUR, forgotten=_HOUR, since_last=False)


def clock() -> datetime:
    """Now."""
    return timezone.now()


def begin_attempt(*, name: str, address: str, code_of: int | None = None) -> Attempt:
    """Count an attempt, before it is known to be right. Raises LockedError, which counts nothing.

    `code_of` is the account that a code is tried for, by somebody who has given its password.
    """
    network = _network(address)
    now = clock()
    # Always in this order: two attempts never wait for each other crosswise.
    bounds = [
        (_key("pair", _plain(name), network), _PAIR),
        *([] if code_of is None else [(_key("codes", str(code_of)), _CODES)]),
        (_key("address", network), _ADDRESS),
    ]
    with transaction.atomic():
        rows = [(_locked_row(key, now), bound) for key, bound in bounds]
        held = [(until, row) for row, _ in rows if (until := _held(row, now))]
        if held:
            until, row = max(held, key=lambda one: one[0])
            raise LockedError(row, until)
        for row, bound in rows:
            _count(row, bound, now)
    return Attempt(tuple(key for key, _ in bounds))


def take_back(attempt: Attempt) -> None:
    """It was right: it counts no more, and what failed before still does."""
    with transaction.atomic():
        for key in attempt.keys:
            row = FailedAttempts.objects.select_for_update().filter(key=key).first()
            if row is not None:
                row.failures, row.locked_until = max(0, row.failures - 1), None
                row.save()


def forget_failures(*, name: str, address: str) -> None:
    """The account was signed in to, with all that this takes, from this address."""
    FailedAttempts.objects.filter(key=_key("pair", _plain(name), _network(address))).delete()


def forget_failed_codes(*, account: int) -> None:
    """The account has a new password: who tried codes with the one before comes to them no more."""
    FailedAttempts.objects.filter(key=_key("codes", str(account))).delete()


def forget_old_failures() -> int:
    """Remove rows that count no more."""
    old = FailedAttempts.objects.filter(last_at__lt=clock() - _DAY)
    return old.delete()[0]


def _locked_row(key: str, now: datetime) -> FailedAttempts:
    FailedAttempts.objects.bulk_create([FailedAttempts(key=key, first_at=now, last_at=now)], ignore_conflicts=True)
    return FailedAttempts.objects.select_for_update().get(key=key)


def _held(row: FailedAttempts, now: datetime) -> datetime | None:
    return row.locked_until if row.locked_until and row.locked_until > now else None


def _count(row: FailedAttempts, bound: _Bound, now: datetime) -> None:
    if now - (row.last_at if bound.since_last else row.first_at) > bound.forgotten:
        row.failures, row.first_at = 0, now
    row.failures += 1
    row.last_at = now
    over = row.failures - bound.failures
    row.locked_until = now + min(bound.first_lock * 2 ** min(over, 10), bound.longest_lock) if over >= 0 else None
    row.save()


def _network(address: str) -> str:
    """What one guesser has to themselves: the address, of IPv6 the network."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known, _IPV6_NETWORK), strict=False))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _key(*parts: str) -> str:
    said = "\0".join(parts).encode()
    return hmac.new(b"failed sign-ins" + settings.SECRET_KEY.encode(), said, hashlib.sha256).hexdigest()
