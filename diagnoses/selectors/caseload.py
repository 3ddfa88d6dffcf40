"""What became of the cases of a period: how many, what was answered, how soon, what was refused, who agreed.

A case is one reading of one image, as the history lists it, and counts on the day that it was asked for. Shadow
readings are nobody's. Each function sends one or two statements, which look at the period's rows alone.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import (
    Aggregate,
    BooleanField,
    Count,
    DateField,
    ExpressionWrapper,
    F,
    FloatField,
    Func,
    Max,
    Min,
    Q,
    QuerySet,
    TextChoices,
    Value,
)
from django.db.models.functions import Trunc
from django.utils.translation import gettext_lazy as _

from diagnoses import roles
from diagnoses.imaging.errors import GATE_FAULTS
from diagnoses.models import Job, Reading, RejectedFile, Worker
from diagnoses.models.job import Label, Purpose
from diagnoses.models.reading import Agreement, Part
from diagnoses.selectors.hiding import blind_images, may_know_readings, reads_first
from diagnoses.selectors.periods import Period
from diagnoses.selectors.registry import present_workers
from diagnoses.selectors.shares import Share
from diagnoses.selectors.viewers import Viewer
from diagnoses.selectors.waiting import images_per_second
from diagnoses.states import JobStatus

_MOST_ERRORS = 5
_NOBODY = 0


@dataclass(frozen=True)
class Scope:
    """Whose cases are counted."""

    owner_id: int | None
    """The user who sent them; None for those of the whole site."""
    may_open: bool
    """Whether the user may look at the cases behind a number."""
    hidden: Q | None = None
    """Which cases' answers the user shall not see yet: a day with one case would give its answer away."""
    known: Q | None = None
    """Of which cases the user may know what was signed, for the same reason."""


def scope_of(user: Viewer) -> Scope:
    """The whole site for whom its figures are meant, their own cases for others. Raises PermissionDenied for nobody."""
    if not isinstance(user, User) or not user.is_active:
        raise PermissionDenied
    hidden = blind_images(user, "image__") if reads_first(user) else None
    known = may_know_readings(user, "image__")
    if user.has_perm(roles.MAY_SEE_SITE_FIGURES):
        return Scope(None, user.has_perm(roles.MAY_SEE_EVERY_STUDY), hidden, known)
    owner_id = user.pk if user.has_perm(roles.MAY_SEE_STUDIES) else _NOBODY
    return Scope(owner_id, may_open=True, hidden=hidden, known=known)


def cases_of(scope: Scope) -> QuerySet[Job]:
    """All cases that count for somebody."""
    jobs = Job.objects.exclude(purpose=Purpose.SHADOW).order_by()
    return jobs if scope.owner_id is None else jobs.filter(owner_id=scope.owner_id)


def cases_in(scope: Scope, period: Period) -> QuerySet[Job]:
    """Those that were asked for in the period."""
    return cases_of(scope).filter(created_at__gte=period.beginning, created_at__lt=period.end)


class Outcome(TextChoices):
    """What became of a case."""

    NORMAL = "normal", _("Normal")
    PNEUMONIA = "pneumonia", _("Pneumonia")
    CANNOT_SAY = "cannot_say", _("Cannot say")
    REFUSED = "refused", _("Refused")
    FAILED = "failed", _("Failed")
    HIDDEN = "hidden", _("Hidden until read")
    WAITING = "waiting", _("Not answered yet")


ANSWERS = (Outcome.NORMAL, Outcome.PNEUMONIA, Outcome.CANNOT_SAY)


@dataclass(frozen=True)
class StepOutcomes:
    """How many cases of a step, or of a whole period, became what."""

    step: Period
    counts: Mapping[Outcome, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    @property
    def positive(self) -> Share:
        """Those that were called pneumonia without doubt, of all that were answered."""
        return Share(self.counts.get(Outcome.PNEUMONIA, 0), sum(self.counts.get(kind, 0) for kind in ANSWERS))


def outcomes(scope: Scope, period: Period) -> list[StepOutcomes]:
    """For each step of the period, from old to new, also where there was nothing."""
    cases = cases_in(scope, period).annotate(day=_step(period))
    is_blind = ExpressionWrapper(scope.hidden, BooleanField()) if scope.hidden else Value(value=False)
    columns = ("day", "status", "label", "indeterminate", "is_blind")
    rows = cases.annotate(is_blind=is_blind).values_list(*columns).annotate(count=Count("pk"))
    found: dict[date, Counter[Outcome]] = {}
    for day, status, label, indeterminate, blind, count in rows:
        hidden = status == JobStatus.DONE and blind
        outcome = Outcome.HIDDEN if hidden else _outcome(status, label, indeterminate)
        found.setdefault(period.step_of(day), Counter())[outcome] += count
    return [StepOutcomes(step, found.get(step.since, Counter())) for step in period.steps()]


def together(period: Period, steps: list[StepOutcomes]) -> StepOutcomes:
    """The same for the whole period."""
    total: Counter[Outcome] = Counter()
    for step in steps:
        total.update(step.counts)
    return StepOutcomes(period, total)


@dataclass(frozen=True)
class Turnaround:
    """Seconds from sent to answered, or refused; None where nothing was."""

    count: int = 0
    median: float | None = None
    p95: float | None = None


@dataclass(frozen=True)
class StepTurnaround:
    """The same for a step, urgent cases apart."""

    step: Period
    routine: Turnaround
    urgent: Turnaround


def turnaround(scope: Scope, period: Period) -> tuple[StepTurnaround, list[StepTurnaround]]:
    """For the whole period, and for each step from old to new.

    A case whose refusal was overridden is left out: it waited for a person.
    """
    answered = cases_in(scope, period).filter(status__in=(JobStatus.DONE, JobStatus.REFUSED), override_code="")
    timed = answered.annotate(seconds=_SECONDS)
    whole = {urgent: Turnaround(*rest) for urgent, *rest in _timed(timed.values_list("urgent"))}
    steps: dict[tuple[date, bool], Turnaround] = {}
    for day, urgent, *rest in _timed(timed.annotate(day=_step(period)).values_list("day", "urgent")):
        steps[period.step_of(day), urgent] = Turnaround(*rest)
    none = Turnaround()
    return StepTurnaround(period, whole.get(False, none), whole.get(True, none)), [
        StepTurnaround(step, steps.get((step.since, False), none), steps.get((step.since, True), none))
        for step in period.steps()
    ]


@dataclass(frozen=True)
class Refusals:
    """What was refused, by its code, the most frequent first."""

    by_code: list[tuple[str, int]]
    """Cases that were refused when they were read."""
    not_taken: list[tuple[str, int]]
    """Files that were not taken in, and so are no cases."""
    overridden: Share
    """Of the gate's refusals, those that a person overrode."""

    @property
    def count(self) -> int:
        """How many cases were refused."""
        return sum(count for _, count in self.by_code)


def refusals(scope: Scope, period: Period) -> Refusals:
    """The period's refusals."""
    told = cases_in(scope, period).filter(Q(status=JobStatus.REFUSED) | ~Q(override_code=""))
    rows = list(told.values_list("status", "error_code", "override_code").annotate(count=Count("pk")))
    by_code: Counter[str] = Counter()
    overridden = by_gate = 0
    for status, code, override, count in rows:
        if status == JobStatus.REFUSED:
            by_code[code] += count
        if override:
            overridden += count
        elif code in GATE_FAULTS:
            by_gate += count
    files = RejectedFile.objects.filter(study__created_at__gte=period.beginning, study__created_at__lt=period.end)
    if scope.owner_id is not None:
        files = files.filter(study__submitted_by_id=scope.owner_id)
    not_taken = files.order_by().values_list("code").annotate(count=Count("pk"))
    return Refusals(_most_first(by_code), _most_first(dict(not_taken)), Share(overridden, overridden + by_gate))


@dataclass(frozen=True)
class Agreed:
    """How clinicians' own findings stand to the model's answers."""

    counts: Mapping[Agreement, int]
    answer_shown: int
    """Of these readings those whose reader had seen the model's answer before."""

    @property
    def share(self) -> Share:
        """Those that agree, of all that compare."""
        return Share(self.counts.get(Agreement.AGREE, 0), sum(self.counts.values()))


def agreement(scope: Scope, period: Period) -> Agreed:
    """Of the period's cases with a reading that was signed beside an answer; the first reader's last word counts."""
    rows = (
        Reading.objects.filter(scope.known or Q(), job__in=cases_in(scope, period), part=Part.FIRST, replaced_by=None)
        .exclude(agreement="")
        .order_by()
        .values_list("agreement", "answer_shown")
        .annotate(count=Count("pk"))
    )
    counts: Counter[Agreement] = Counter()
    for said, _shown, count in rows:
        counts[Agreement(said)] += count
    return Agreed(counts, sum(count for _, shown, count in rows if shown))


@dataclass(frozen=True)
class ErrorKind:
    """A fault for which cases failed."""

    code: str
    count: int
    last: datetime


@dataclass(frozen=True)
class Health:
    """How the site stands now; the errors are those of the period's cases."""

    waiting: int
    oldest: datetime | None
    """Since when the oldest waits."""
    images_per_second: float | None
    """Of late; None where there was too little to read."""
    workers: list[Worker]
    errors: list[ErrorKind]


def health(scope: Scope, period: Period) -> Health:
    """Queue and workers of the whole site, and the kinds of error that came last."""
    queue = Job.objects.filter(status=JobStatus.QUEUED).exclude(purpose=Purpose.SHADOW).order_by()
    waits = queue.aggregate(count=Count("pk"), oldest=Min("created_at"))
    errors = (
        cases_in(scope, period)
        .filter(status=JobStatus.FAILED)
        .values_list("error_code")
        .annotate(count=Count("pk"), last=Max("ended_at"))
        .order_by("-last")[:_MOST_ERRORS]
    )
    return Health(
        waits["count"],
        waits["oldest"],
        images_per_second(),
        list(present_workers().prefetch_related("model_versions")),
        [ErrorKind(*row) for row in errors],
    )


class _Percentile(Aggregate):
    function = "percentile_cont"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


_SECONDS = Func(
    F("ended_at") - F("created_at"), template="extract(epoch FROM %(expressions)s)::float8", output_field=FloatField()
)


def _timed(groups: QuerySet[Job, Any]) -> QuerySet[Job, Any]:
    return groups.annotate(
        count=Count("pk"), median=_Percentile("seconds", fraction=0.5), p95=_Percentile("seconds", fraction=0.95)
    )


def _step(period: Period) -> Trunc:
    """The site's day or week that a case belongs to."""
    return Trunc("created_at", period.by, output_field=DateField())


def _outcome(status: str, label: str, indeterminate: bool) -> Outcome:
    if status == JobStatus.DONE:
        if indeterminate:
            return Outcome.CANNOT_SAY
        return Outcome.PNEUMONIA if label == Label.PNEUMONIA else Outcome.NORMAL
    return Outcome(status) if status in (JobStatus.REFUSED, JobStatus.FAILED) else Outcome.WAITING


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
