"""Stretches of the site's days, and the steps that a figure over time is drawn in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone

_MOST_DAYS_ONE_BY_ONE = 92


@dataclass(frozen=True)
class Period:
    """Whole days of the site, both included."""

    since: date
    until: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.until - self.since).days + 1

    @property
    def beginning(self) -> datetime:
        """The first instant."""
        return _midnight(self.since)

    @property
    def end(self) -> datetime:
        """The first instant after it."""
        return _midnight(self.until + timedelta(days=1))

    @property
    def by(self) -> str:
        """What a step is: a `day`, or a `week` (from Monday on) where days are too many to be looked at."""
        return "day" if self.days <= _MOST_DAYS_ONE_BY_ONE else "week"

    def steps(self) -> Iterator["Period"]:
        """All steps from old to new; the first and the last week end where the period does."""
        first = self.since
        while first <= self.until:
            last = first if self.by == "day" else first + timedelta(days=6 - first.weekday())
            yield Period(first, min(last, self.until))
            first = last + timedelta(days=1)

    def step_of(self, day: date) -> date:
        """The first day of the step that a day, or the Monday of a week, belongs to."""
        return max(day, self.since)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
