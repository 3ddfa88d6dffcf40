"""Whether the audit is what was put on record: every hash is computed anew."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from diagnoses.models import AuditArchive, AuditEvent
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.audit_chain import Linked, digest_of, hash_of
from diagnoses.services.anchoring import Anchor
from diagnoses.services.archiving import is_signed

_MOST_SHOWN = 20


@dataclass
class _Gone:
    """What the chain says of an archived month: how many links are without their event, and where they end."""

    events: int = 0
    last_seq: int = 0
    last_hash: str = ""


@dataclass
class Verdict:
    """What was looked at and found. `found` has the first of each kind in words, `counts` how many there are."""

    links: int = 0
    archived: int = 0
    anchors: int = 0
    last_seq: int = 0
    found: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def is_clean(self) -> bool:
        """Nothing was found."""
        return not self.counts

    def add(self, kind: str, words: str) -> None:
        """Note something that is wrong."""
        self.counts[kind] += 1
        if self.counts[kind] <= _MOST_SHOWN:
            self.found.append(f"{kind}: {words}")


def verify(chain: Iterable[Linked], anchors: Iterable[Anchor], archives: Mapping[date, AuditArchive]) -> Verdict:
    """Go through the chain from its first link to its end, then hold the anchors against it."""
    verdict = Verdict()
    wanted = {anchor.seq: "" for anchor in anchors}
    gone = {month: _Gone() for month in archives}
    previous = bytes(32)
    for linked in chain:
        link = linked.link
        if link is None and linked.waiting and linked.fields and digest_of(linked.fields) == linked.waiting:
            continue  # written since the chain was last sealed
        if link is None:
            verdict.add("inserted", f"event {_number(linked)} has no link: it was added past the chain")
            continue
        if link.seq == verdict.last_seq:
            verdict.add("inserted", f"event {_number(linked)} is there more than once")
            continue
        if link.seq != verdict.last_seq + 1:
            verdict.add("deleted", f"the links {verdict.last_seq + 1} to {link.seq - 1} are missing")
        elif link.hash != hash_of(link, previous):
            verdict.add("broken", f"link {link.seq} does not follow from the one before it")
        _check_event(verdict, linked, gone)
        verdict.links += 1
        verdict.last_seq, previous = link.seq, link.hash
        if link.seq in wanted:
            wanted[link.seq] = link.hash.hex()
    _check_gone(verdict, archives, gone)
    _check_anchors(verdict, anchors, wanted)
    return verdict


def archives_by_month(verdict: Verdict, key: str) -> dict[date, AuditArchive]:
    """The months that were archived: on record themselves, and signed, else somebody only says so.

    The event that says so may have been archived since, with its own month.
    """
    on_record = set(
        AuditEvent.objects.filter(action=AuditAction.AUDIT_ARCHIVED).values_list("detail__sha256", flat=True)
    )
    archives = list(AuditArchive.objects.all())
    signed = {archive.month: archive for archive in archives if is_signed(archive, key)}
    for archive in archives:
        said = f"{archive.name} is said to hold {archive.month:%Y-%m}"
        if archive.sha256 not in on_record and _month_of(archive.archived_at) not in signed:
            verdict.add("archive", f"{said}, but no event says so")
        if archive.month not in signed:
            verdict.add("archive", f"{said}, but that is not signed with this key")
    return signed


def _month_of(at: datetime) -> date:
    return at.astimezone(UTC).date().replace(day=1)


def _check_event(verdict: Verdict, linked: Linked, gone: dict[date, _Gone]) -> None:
    link, fields = linked.link, linked.fields
    assert link is not None  # noqa: S101 - for the type checker
    if fields is None:
        month = _month_of(datetime.fromtimestamp(link.moment / 1_000_000, UTC))
        if month in gone:
            verdict.archived += 1
            gone[month] = _Gone(gone[month].events + 1, link.seq, link.hash.hex())
        else:
            verdict.add("deleted", f"event {link.event_id} of link {link.seq} is missing")
    elif digest_of(fields) != link.digest:
        verdict.add("edited", f"event {link.event_id} of link {link.seq} is not what was put on record")


def _check_gone(verdict: Verdict, archives: Mapping[date, AuditArchive], gone: dict[date, _Gone]) -> None:
    for month, archive in archives.items():
        found = gone[month]
        if found != _Gone(archive.events, archive.last_seq, archive.last_hash):
            verdict.add(
                "archive",
                f"{archive.name} holds {archive.events} events up to link {archive.last_seq}; of {month:%Y-%m} "
                f"{found.events} are missing up to link {found.last_seq}",
            )


def _check_anchors(verdict: Verdict, anchors: Iterable[Anchor], hashes: Mapping[int, str]) -> None:
    for anchor in anchors:
        verdict.anchors += 1
        if anchor.seq > verdict.last_seq:
            verdict.add("cut off", f"the chain ends at link {verdict.last_seq}; at {anchor.time} it had {anchor.seq}")
        elif anchor.seq and hashes[anchor.seq] != anchor.hash:
            verdict.add("rewritten", f"link {anchor.seq} has another hash than at {anchor.time}")


def _number(linked: Linked) -> str | None:
    return linked.fields[0] if linked.fields else None
