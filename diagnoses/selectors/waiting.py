"""How long the queue is, how fast it moves, and when one's turn comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext, ngettext, pgettext

from diagnoses.models import Job, JobTransition
from diagnoses.models.job import Purpose
from diagnoses.selectors.pausing import pause_of_late
from diagnoses.selectors.studies import StudyState
from diagnoses.states import JobStatus, Move

_LAST_TRANSITIONS = 400
_LATELY = timedelta(minutes=10)
_LONGEST_GAP_SECONDS = 1.0
"""Between two answers; in a longer one the workers had nothing to do."""
_LEAST_ANSWERS = 5


@dataclass(frozen=True)
class Waiting:
    """What a study still waits for."""

    ahead: int
    """Images that are read before its first one."""
    seconds: float | None
    """Until its last image is read, at the pace of late; None without one to measure by, or in a pause."""

    @property
    def words(self) -> str:
        """The same for people."""
        place = _before_it(self.ahead) if self.ahead else pgettext("in the queue", "next")
        if self.seconds is None:
            return place
        return gettext("{place}, {time}").format(place=place, time=_about(self.seconds))


def queued_count() -> int:
    """How many readings wait that somebody waits for."""
    return _queued().count()


def waiting_of(state: StudyState) -> Waiting | None:
    """What a study still waits for; None where all of it has been taken up."""
    own = [job for image in state.images for job in image.jobs if job.status == JobStatus.QUEUED]
    if not own:
        return None
    first = min(own, key=lambda job: (not job.urgent, job.created_at, job.pk))
    before = Q(created_at__lt=first.created_at) | Q(created_at=first.created_at, pk__lt=first.pk)
    ahead = _queued().filter(Q(urgent=True) & ~Q(urgent=first.urgent) | Q(urgent=first.urgent) & before).count()
    pace = None if pause_of_late() else images_per_second()
    return Waiting(ahead, (ahead + len(own)) / pace if pace else None)


def images_per_second() -> float | None:
    """How fast readings came to their end of late, while there were any to make; None without enough of them."""
    # The last rows by their key, so that this costs the same however long the table is.
    last = JobTransition.objects.order_by("-id").values_list("at", "move")[:_LAST_TRANSITIONS]
    since = timezone.now() - _LATELY
    ends = sorted(at for at, move in last if at >= since and move in (Move.COMPLETE, Move.REFUSE, Move.FAIL))
    return _pace(ends) if len(ends) >= _LEAST_ANSWERS else None


def _pace(ends: Sequence[datetime]) -> float:
    gaps = [min((after - before).total_seconds(), _LONGEST_GAP_SECONDS) for before, after in pairwise(ends)]
    return len(gaps) / max(sum(gaps), 0.001)


def _queued() -> QuerySet[Job]:
    return Job.objects.filter(status=JobStatus.QUEUED).exclude(purpose=Purpose.SHADOW)


def _before_it(count: int) -> str:
    return ngettext("{count} image before it", "{count} images before it", count).format(count=count)


def _about(seconds: float) -> str:
    if seconds < 10:
        return gettext("a few seconds")
    if seconds < 90:
        count = round(seconds / 10) * 10
        return ngettext("about {count} second", "about {count} seconds", count).format(count=count)
    count = round(seconds / 60)
    return ngettext("about {count} minute", "about {count} minutes", count).format(count=count)
