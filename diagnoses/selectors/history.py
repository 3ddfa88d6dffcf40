"""The history: readings that a user may see, newest first, filtered, a page at a time."""

import base64
import binascii
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext

from diagnoses.models import Job, Study
from diagnoses.selectors import narrowing, words
from diagnoses.selectors.hiding import cover, covered, reads_first
from diagnoses.selectors.narrowing import Found
from diagnoses.selectors.ranges import (
    HistoryFilter,
    Position,
    before_end,
    condition_of,
    newest,
    newest_of_few,
    ranges_of,
)
from diagnoses.selectors.studies import jobs_visible_to, listed_for
from diagnoses.selectors.viewers import Viewer

PAGE_SIZE = 25
_FEW_JOBS = 500


class CursorError(ValueError):
    """A page's address was tampered with or cut."""


class HiddenFilterError(ValueError):
    """The filter asks for answers that are hidden from the user, and its outcome would tell them."""


@dataclass(frozen=True)
class HistoryPage:
    """Some readings, and the cursor of those after them (empty at the end)."""

    jobs: list[Job]
    next_cursor: str
    looked_until: datetime | None = None
    """How far back was looked where no index holds what was asked for; None where that was far enough."""


def find_jobs(user: Viewer, wanted: HistoryFilter) -> QuerySet[Job]:
    """All readings that match, newest first. Raises HiddenFilterError."""
    _check_hidden(user, wanted)
    conditions = condition_of(user, wanted), narrowing.condition_of(user, wanted) or Q()
    jobs = jobs_visible_to(user).filter(*conditions, words.condition_of(wanted))
    return jobs.order_by("-created_at", "-id")


def find_studies(user: Viewer, wanted: HistoryFilter) -> QuerySet[Study]:
    """All visible studies; with a filter, those with a reading that matches. Raises HiddenFilterError."""
    _check_hidden(user, wanted)
    studies = listed_for(user)
    if not wanted.narrows:
        return studies
    few = _all_places_if_few(user, wanted)
    if few is not None:
        return studies.filter(pk__in=Job.objects.filter(pk__in=_keys(few)).values("image__study"))
    matching = find_jobs(user, wanted).order_by()
    # No study is younger than its readings, so the last day is where its index is entered, too.
    return studies.filter(before_end(wanted), Exists(matching.filter(image__study=OuterRef("pk"))))


def history_page(user: Viewer, wanted: HistoryFilter, cursor: str = "") -> HistoryPage:
    """One page, at the same cost however far down.

    Raises CursorError for a cursor that none of ours is, and HiddenFilterError.
    """
    _check_hidden(user, wanted)
    ranges = ranges_of(user, wanted, _read_cursor(cursor) if cursor else None)
    found = _first_places(user, wanted, ranges)
    shown = found.places[:PAGE_SIZE]
    jobs = list(jobs_visible_to(user).filter(pk__in=_keys(shown)).order_by("-created_at", "-id"))
    cover(user, jobs)
    if found.looked_until:
        return HistoryPage(jobs, _make_cursor(found.looked_until), found.looked_until[0])
    return HistoryPage(jobs, _make_cursor(shown[-1]) if len(found.places) > PAGE_SIZE else "")


def stream_jobs(user: Viewer, wanted: HistoryFilter) -> Iterator[Job]:
    """All readings that match, without holding them in memory. Raises HiddenFilterError, at once."""
    return covered(user, find_jobs(user, wanted).iterator(chunk_size=500))


def _check_hidden(user: Viewer, wanted: HistoryFilter) -> None:
    if wanted.asks_for_answers and reads_first(user):
        raise HiddenFilterError(
            gettext(
                "You read first, so cases cannot be looked for by the answer: that would tell it. Clear “Answer” and "
                "“Certainty”, or change your preferences."
            )
        )


def _first_places(user: Viewer, wanted: HistoryFilter, ranges: Sequence[QuerySet[Job]]) -> Found:
    """Those of a page, and one more where there is one."""
    condition, count = narrowing.condition_of(user, wanted), PAGE_SIZE + 1
    if not words.asked_for(wanted):
        return narrowing.look_through(ranges, condition, count) if condition else Found(newest(ranges, count))
    near = words.look_through(wanted, ranges, count)
    if near is None:
        by_index = words.look_up(user, wanted, ranges)
        return Found(newest_of_few([jobs.filter(condition or Q()) for jobs in by_index], count))
    # What the index finds of a common word is too much to be looked through at once.
    return narrowing.look_through(ranges, condition & words.condition_of(wanted), count) if condition else Found(near)


def _all_places_if_few(user: Viewer, wanted: HistoryFilter) -> list[Position] | None:
    """The places of all readings that match; None where they are many, or not to be counted by an index."""
    if narrowing.condition_of(user, wanted):
        return None
    ranges = ranges_of(user, wanted)
    if not words.asked_for(wanted):
        places = newest(ranges, _FEW_JOBS + 1)
    elif words.look_through(wanted, ranges, PAGE_SIZE + 1) is None:
        places = newest_of_few(words.look_up(user, wanted, ranges), _FEW_JOBS + 1)
    else:
        return None
    return places if len(places) <= _FEW_JOBS else None


def _keys(places: Sequence[Position]) -> list[uuid.UUID]:
    return [pk for _, pk in places]


def _make_cursor(place: Position) -> str:
    at, pk = place
    return base64.urlsafe_b64encode(f"{at.isoformat()} {pk}".encode()).decode()


def _read_cursor(cursor: str) -> Position:
    try:
        written, pk = base64.urlsafe_b64decode(cursor.encode()).decode().split()
        return read_instant(written), uuid.UUID(pk)
    except (ValueError, binascii.Error) as error:
        raise CursorError(gettext("This page's address is not valid. Start again from the first page.")) from error


def read_instant(text: str) -> datetime:
    """A time with its zone, in ISO 8601. Raises ValueError for anything else."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("a time without a zone is no instant")
    return instant
