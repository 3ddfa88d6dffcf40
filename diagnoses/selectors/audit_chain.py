"""The chain of the audit as it stands, and what its hashes are made of."""

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.db import connection, transaction

from diagnoses.models import AuditArchive, AuditLink

_MICROSECONDS = "(extract(epoch FROM {}) * 1000000)::bigint"
FIELDS = (
    "id",
    "at",
    "action",
    "actor_id",
    "actor_name",
    "actor_roles",
    "address",
    "object_type",
    "object_id",
    "detail",
    "event",
    "action_code",
    "outcome",
    "patient",
    "study",
    "model_version",
)
"""The columns of an event in the order in which they are hashed. The database has the same list in its trigger."""
_AS_TEXT = ", ".join(
    f"{_MICROSECONDS.format('e.at')}::text" if field == "at" else f"e.{field}::text" for field in FIELDS
)
_NO_HASH = bytes(32)

# Every row of both tables, also of one that the other lacks; links in their order, what has none at the end.
_ALL = f"""
SELECT l.seq, l.event_id, {_MICROSECONDS.format("l.at")}, l.digest, l.hash, p.digest, {_AS_TEXT}
FROM diagnoses_auditlink l FULL JOIN diagnoses_auditevent e ON e.id = l.event_id
LEFT JOIN diagnoses_auditpending p ON p.event_id = e.id AND l.seq IS NULL
ORDER BY l.seq NULLS LAST, e.id
"""  # noqa: S608 - made of our own words
_OF_TIME = f"""
SELECT l.seq, l.event_id, {_MICROSECONDS.format("l.at")}, l.digest, l.hash, p.digest, {_AS_TEXT}
FROM diagnoses_auditevent e LEFT JOIN diagnoses_auditlink l ON l.event_id = e.id
LEFT JOIN diagnoses_auditpending p ON p.event_id = e.id AND l.seq IS NULL
WHERE e.at >= %s AND e.at < %s ORDER BY l.seq NULLS LAST, e.id
"""  # noqa: S608 - as above


@dataclass(frozen=True)
class Link:
    """A link as it is stored. `moment` is its event's time in microseconds since 1970."""

    seq: int
    event_id: int
    moment: int
    digest: bytes
    hash: bytes


@dataclass(frozen=True)
class Linked:
    """A link and its event's columns as text. Where something was tampered with, one of the two may be missing.

    `waiting` is the digest of an event that was written so lately that its link is not made yet.
    """

    link: Link | None
    fields: Sequence[str | None] | None
    waiting: bytes | None = None


@dataclass(frozen=True)
class Head:
    """The end of the chain."""

    seq: int
    hash: str


def digest_of(fields: Sequence[str | None]) -> bytes:
    """The SHA-256 of an event's columns, each with its length in bytes before it, or a dash where there is none."""
    parts = (b"-" if text is None else b"%d:%b" % (len(text.encode()), text.encode()) for text in fields)
    return sha256(b"".join(parts)).digest()


def hash_of(link: Link, previous: bytes = _NO_HASH) -> bytes:
    """What the link's hash has to be after that of the link before it."""
    words = f"{link.seq}:{link.event_id}:{link.moment}"
    return sha256(previous + words.encode() + link.digest).digest()


def mac_of(key: str, *parts: str) -> str:
    """The parts signed with the audit's key, in hex."""
    return hmac.new(key.encode(), "\n".join(parts).encode(), sha256).hexdigest()


def head() -> Head:
    """The last link; where there is none, number 0."""
    last = AuditLink.objects.order_by("-seq").first()
    return Head(last.seq, bytes(last.hash).hex()) if last else Head(0, _NO_HASH.hex())


def archive_names() -> list[str]:
    """The files of the months that were archived."""
    return list(AuditArchive.objects.order_by("month").values_list("name", flat=True))


def stream_chain() -> Iterator[Linked]:
    """All links with their events, in one sight of the database, a few thousand in memory at a time."""
    return _stream(_ALL, [])


def stream_events(since: object, until: object) -> Iterator[Linked]:
    """The events of a stretch of time with their links."""
    return _stream(_OF_TIME, [since, until])


def _stream(statement: str, parameters: list[Any]) -> Iterator[Linked]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            # To sort millions of rows takes longer than any page may.
            cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
        with connection.chunked_cursor() as cursor:
            cursor.execute(statement, parameters)
            for seq, event_id, moment, digest, link_hash, waiting, *fields in cursor:
                link = None if seq is None else Link(seq, event_id, moment, bytes(digest), bytes(link_hash))
                yield Linked(link, None if fields[0] is None else fields, bytes(waiting) if waiting else None)
