"""Months of the audit that are older than it has to be kept at hand: written to files, and only then taken out."""

import gzip
import hmac
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from diagnoses import audit
from diagnoses.models import AuditArchive
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.audit_chain import FIELDS, Linked, digest_of, mac_of, stream_events
from diagnoses.services.anchoring import audit_key, seal


class ArchiveError(Exception):
    """A month was not archived, and is where it was. The text says why."""


@dataclass
class _Written:
    events: int = 0
    last_seq: int = 0
    last_hash: str = ""


def months_due() -> list[date]:
    """The months with a partition that lie wholly before the years which the site keeps at hand, oldest first."""
    today = timezone.now().astimezone(UTC).date()
    limit = date(today.year - settings.CXR_AUDIT_YEARS, today.month, 1)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_date(substring(c.relname FROM 'y[0-9]{4}m[0-9]{2}$'), '\"y\"YYYY\"m\"MM') FROM pg_inherits i "
            "JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'diagnoses_auditevent'::regclass "
            "AND c.relname ~ 'y[0-9]{4}m[0-9]{2}$'"
        )
        months: list[date] = [month for (month,) in cursor.fetchall()]
    return sorted(month for month in months if month < limit)


def archive_month(*, month: date, folder: Path, actor: audit.Actor) -> AuditArchive | None:
    """Write the month to a file, look at what was written, then take it out; None where it has no events.

    Raises ArchiveError and NoKeyError; the month is then where it was.
    """
    key = audit_key()
    seal()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / _name(month)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(f"LOCK TABLE {_partition(month)} IN SHARE MODE")
        written = _write(path, month)
        archive = _archive_of(path, month, written, key)
        if problems := check_archive(path, archive, key):
            raise ArchiveError(f"What was written to {path.name} is not what was on record: {problems[0]}.")
        if written.events:
            archive.save(force_insert=True)
            detail: dict[str, Any] = {"month": f"{month:%Y-%m}", "events": archive.events, "sha256": archive.sha256}
            audit.record(AuditAction.AUDIT_ARCHIVED, actor, archive, **detail)
        else:
            path.unlink()
        _take_out(month)
    return archive if written.events else None


def check_archive(path: Path, archive: AuditArchive, key: str) -> list[str]:
    """What is wrong with the file, by its own rows and by what is kept of it; empty where nothing is."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return [f"{path.name} cannot be read ({error.strerror})"]
    if sha256(data).hexdigest() != archive.sha256:
        return [f"{path.name} has another SHA-256 than when it was written"]
    if not is_signed(archive, key):
        return [f"{path.name} is not signed with this key"]
    events = 0
    problems: list[str] = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            events += 1
            if digest_of([row["event"][name] for name in FIELDS]).hex() != row["digest"]:
                problems.append(f"event {row['event']['id']} in {path.name} is not what was put on record")
    if events != archive.events:
        problems.append(f"{path.name} has {events} events and not {archive.events}")
    return problems


def is_signed(archive: AuditArchive, key: str) -> bool:
    """Whether what is kept of the file is what was signed with this key, and of that month. It needs no file."""
    return archive.name == _name(archive.month) and hmac.compare_digest(
        archive.signature.encode(), _signature(archive, key).encode()
    )


def _write(path: Path, month: date) -> _Written:
    written = _Written()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
            for linked in _events_of(month):
                packed.write(_line(linked, written))
        file.flush()
        os.fsync(file.fileno())
    return written


def _line(linked: Linked, written: _Written) -> bytes:
    link, fields = linked.link, linked.fields
    if link is None or fields is None:
        raise ArchiveError("An event of the month has no link in the chain. Run verify_audit.")
    written.events += 1
    written.last_seq, written.last_hash = link.seq, link.hash.hex()
    row = {
        "seq": link.seq,
        "digest": link.digest.hex(),
        "hash": link.hash.hex(),
        "event": dict(zip(FIELDS, fields, strict=True)),
    }
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _events_of(month: date) -> Iterator[Linked]:
    since = datetime(month.year, month.month, 1, tzinfo=UTC)
    until = datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)
    return stream_events(since, until)


def _archive_of(path: Path, month: date, written: _Written, key: str) -> AuditArchive:
    archive = AuditArchive(
        month=month,
        name=path.name,
        events=written.events,
        last_seq=written.last_seq,
        last_hash=written.last_hash,
        sha256=sha256(path.read_bytes()).hexdigest(),
    )
    archive.signature = _signature(archive, key)
    return archive


def _signature(archive: AuditArchive, key: str) -> str:
    facts = (archive.name, str(archive.events), str(archive.last_seq), archive.last_hash, archive.sha256)
    return mac_of(key, "archive", *facts)


def _take_out(month: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with checks that still wait is not taken out
        cursor.execute(f"ALTER TABLE diagnoses_auditevent DETACH PARTITION {_partition(month)}")
        cursor.execute(f"DROP TABLE {_partition(month)}")


def _name(month: date) -> str:
    return f"audit-{month:%Y-%m}.jsonl.gz"


def _partition(month: date) -> str:
    return f"diagnoses_auditevent_y{month:%Y}m{month:%m}"
