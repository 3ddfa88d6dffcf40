"""How clinicians' readings stand to the model's answers, and to each other's.

Who has seen an answer tends to follow it, so readings signed before it was shown are counted apart from the others.
Each reader counts once for an image: with the last reading that they signed without the answer in sight, where there is
one, and otherwise with the one that stands.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import TruncMonth

from diagnoses.models import Reading
from diagnoses.models.job import Label
from diagnoses.models.reading import Finding, Part
from diagnoses.roles import MAY_SEE_SITE_FIGURES
from diagnoses.selectors.hiding import blind_images, may_know_readings
from diagnoses.selectors.kappa import Kappa, cohen_kappa
from diagnoses.selectors.studies import listed_for

PNEUMONIA, NO_PNEUMONIA, CANNOT_TELL = range(3)
"""The rows and columns of each table. The model is asked for pneumonia alone: any other finding is none."""

_CATEGORY = {
    Finding.PNEUMONIA: PNEUMONIA,
    Finding.NORMAL: NO_PNEUMONIA,
    Finding.OTHER: NO_PNEUMONIA,
    Finding.CANNOT_TELL: CANNOT_TELL,
}
_DISCORDANT = Q(finding=Finding.PNEUMONIA, job__label=Label.NORMAL) | Q(
    finding__in=[Finding.NORMAL, Finding.OTHER], job__label=Label.PNEUMONIA
)

Pair = tuple[int, int]


class Table:
    """Counts: a row for what the reader says, a column for what the model (or the other reader) says."""

    def __init__(self, pairs: Counter[Pair]) -> None:
        self.rows = [[pairs[row, column] for column in range(3)] for row in range(3)]

    @property
    def kappa(self) -> Kappa:
        """How well the two agree."""
        return cohen_kappa(self.rows)


@dataclass(frozen=True)
class AnswerFollowed:
    """How often readers say the same as one kind of answer."""

    category: int
    cases: int
    same: int

    @property
    def share(self) -> float:
        """Of all cases, 0 to 1."""
        return self.same / self.cases


@dataclass(frozen=True)
class Agreement:
    """The agreement of some readings with the model."""

    table: Table
    by_reader: list[tuple[str, Kappa]]
    by_month: list[tuple[datetime, Kappa]]
    """Months of the site's time zone, from old to new; none of those without a case."""

    @property
    def kappa(self) -> Kappa:
        """That of all of them."""
        return self.table.kappa

    @property
    def by_answer(self) -> list[AnswerFollowed]:
        """For each kind of answer that was given."""
        columns = [[row[column] for row in self.table.rows] for column in range(3)]
        return [AnswerFollowed(k, sum(column), column[k]) for k, column in enumerate(columns) if sum(column)]


def sees_all(user: User) -> bool:
    """Whether the figures are those of the whole site, or of the user's own readings."""
    return user.has_perm(MAY_SEE_SITE_FIGURES)


def blind_agreement(user: User) -> Agreement:
    """Of readings that were signed before the model's answer was shown."""
    return _agreement(_of(user).filter(_is_blind()))


def sighted_agreement(user: User) -> Agreement:
    """Of readings that were signed with the answer in sight."""
    return _agreement(_of(user).filter(_is_sighted()))


def reader_agreement(user: User) -> Table:
    """Between first and second readers, by what each of them signed first, before seeing the other's."""
    first = Reading.objects.filter(image=OuterRef("image"), part=Part.FIRST, replaces=None)
    pairs = Reading.objects.filter(part=Part.SECOND, replaces=None)
    if not sees_all(user):
        pairs = pairs.filter(Q(reader=user) | Q(Exists(first.filter(reader=user))))
    counted = pairs.order_by().annotate(other=Subquery(first.values("finding")[:1]))
    counts: Counter[Pair] = Counter()
    for finding, other, count in counted.values_list("finding", "other").annotate(count=Count("pk")):
        counts[_CATEGORY[Finding(other)], _CATEGORY[Finding(finding)]] += count
    return Table(counts)


def discordant_readings(user: User) -> "QuerySet[Reading]":
    """The readings that contradict the model's answer, newest first, of studies that the user may see.

    Without those of images that the user has still to read uninfluenced.
    """
    return (
        _of(user)
        .filter(_is_blind() | _is_sighted(), _DISCORDANT, job__indeterminate=False)
        .filter(~blind_images(user, "image__"), image__study__in=listed_for(user))
        .select_related("image__study__subject", "job__result")
        .order_by("-signed_at", "-id")
    )


def _of(user: User) -> "QuerySet[Reading]":
    """The readings beside which there is an answer by now, and of which the user may know."""
    readings = Reading.objects.exclude(job=None).exclude(job__label="")
    return readings.filter(may_know_readings(user, "image__")) if sees_all(user) else readings.filter(reader=user)


def _is_blind() -> Q:
    return Q(answer_shown=False) & ~Q(replaced_by__answer_shown=False)


def _is_sighted() -> Q:
    same = Reading.objects.filter(image=OuterRef("image"), reader=OuterRef("reader"), answer_shown=False)
    return Q(answer_shown=True, replaced_by=None) & ~Q(Exists(same))


def _agreement(readings: "QuerySet[Reading]") -> Agreement:
    total: Counter[Pair] = Counter()
    readers: dict[str, Counter[Pair]] = defaultdict(Counter)
    months: dict[datetime, Counter[Pair]] = defaultdict(Counter)
    for name, month, pair, count in _counts(readings):
        for counts in (total, readers[name], months[month]):
            counts[pair] += count
    return Agreement(
        Table(total),
        [(name, Table(counts).kappa) for name, counts in sorted(readers.items())],
        [(month, Table(counts).kappa) for month, counts in sorted(months.items())],
    )


def _counts(readings: "QuerySet[Reading]") -> Iterable[tuple[str, datetime, Pair, int]]:
    """How many of each reader, month, finding and answer: few rows, however many readings there are."""
    grouped = readings.order_by().annotate(month=TruncMonth("signed_at"))
    columns = ("reader_name", "month", "finding", "job__label", "job__indeterminate")
    for name, month, finding, label, indeterminate, count in grouped.values_list(*columns).annotate(count=Count("pk")):
        answer = CANNOT_TELL if indeterminate else _CATEGORY[Finding(label)]
        yield name, month, (_CATEGORY[Finding(finding)], answer), count
