"""Removing files that no row speaks of.

A file is written before the row that names it, so a crash between the two leaves a file that nobody will ever ask for,
and a crash within the first an unfinished one. Neither may stay for ever: they are patients' pictures. An
erased patient's rows need no files: what erasing could not remove goes here, too.
"""

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

from django.conf import settings
from django.utils import timezone

from diagnoses import storage
from diagnoses.selectors.files import database_began_at, database_time, held_names
from diagnoses.storage import quarantine

_AT_ONCE = 500
_log = logging.getLogger(__name__)


def sweep_orphans(*, dry_run: bool = False) -> list[str]:
    """Remove what has been in storage for longer than `CXR_ORPHAN_SECONDS` and no row speaks of; gives the names.

    An upload's files have no row either until all of them are written and its transaction is committed. Only their age
    tells them from what a crash left, so the limit must be far above the longest request, and above what the clocks of
    this machine and of the storage may differ by. The limit is read before the first name is listed; a row that is
    committed while this runs is found, since each name is asked for just before it is removed.

    Nothing is removed that the database was not asked about, and nothing that is older than the database itself: a
    site with a new database before its old pictures must not lose them. With `dry_run` nothing is removed at all.
    Raises DatabaseError and OSError, and then leaves the rest as it is.
    """
    began_at = database_began_at()
    if began_at is None:
        return []
    orphans: list[str] = []
    # Whichever clock is behind: one that jumps ahead would make an upload's files old while it goes on.
    before = min(timezone.now(), database_time()) - timedelta(seconds=settings.CXR_ORPHAN_SECONDS)
    for names in _in_chunks(_names_between(began_at, before)):
        held = held_names(names)
        orphans += [name for name in names if name not in held and (dry_run or _was_removed(name))]
    return orphans


def sweep_quarantine() -> int:
    """Remove from quarantine what a crash left there; gives how many files. A request that goes on has younger ones."""
    removed = quarantine.sweep(settings.CXR_ORPHAN_SECONDS)
    if removed:
        _log.warning("Removed %d files from quarantine, which a crash left there", removed)
    return removed


def _names_between(start: datetime, end: datetime) -> Iterator[str]:
    """The names of files that were written in this time."""
    older = 0
    for file in storage.listing():
        if file.modified_at < start:
            older += 1
        elif file.modified_at < end:
            yield file.name
    if older:
        _log.warning("%d files are older than the database; whether it speaks of them or not, they stay", older)


def _in_chunks(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while chunk := list(islice(rest, _AT_ONCE)):
        yield chunk


def _was_removed(name: str) -> bool:
    """Remove one file. One that cannot be must not keep the others."""
    try:
        storage.remove(name)
    except OSError:
        _log.exception("%s, which no row speaks of, could not be removed", name)
        return False
    _log.warning("Removed %s, which no row speaks of", name)
    return True
