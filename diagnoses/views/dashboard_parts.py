"""The parts of the dashboard: what each says of a period, in key numbers, charts and lists, with ways to the cases."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from diagnoses.models.reading import Agreement
from diagnoses.selectors import caseload
from diagnoses.selectors.caseload import Outcome, Scope, StepOutcomes, StepTurnaround, Turnaround
from diagnoses.selectors.drift import Basis, ScoreDrift, score_drift
from diagnoses.selectors.periods import Period
from diagnoses.selectors.population_stability import Compared, Drift
from diagnoses.selectors.shares import Share
from diagnoses.states import JobStatus
from diagnoses.views.charts import NOTHING, Cell, Chart, Row, Series, duration, in_words, number, percent
from diagnoses.views.dashboard_words import BASIS_WORDS, DRIFT_WORDS, fault_name

KEYS: Mapping[str, tuple[tuple[str, Promise], ...]] = {
    "cases": (("cases", gettext_lazy("Cases")), ("positivity", gettext_lazy("Called pneumonia"))),
    "turnaround": (("turnaround", gettext_lazy("Time to the answer")),),
    "refusals": (("refused", gettext_lazy("Refused")), ("overridden", gettext_lazy("Refusals overridden"))),
    "agreement": (("agreement", gettext_lazy("Clinicians agree")),),
    "drift": (("drift", gettext_lazy("Drift of the answers")),),
    "health": (("waiting", gettext_lazy("Waiting now")),),
}
"""The key numbers that each part brings, by name, with their labels."""


@dataclass(frozen=True)
class Asked:
    """Whose cases of which days are asked for."""

    scope: Scope
    period: Period

    def way(self, count: int, step: Period | None = None, /, **wanted: str) -> str:
        """The address of the history with these cases; empty where there is none, or the user may not see them."""
        if not (count and self.scope.may_open):
            return ""
        days = step or self.period
        if self.scope.owner_id is not None:
            wanted["own"] = "true"
        return f"{reverse('history')}?{urlencode({**wanted, 'since': days.since, 'until': days.until})}"

    def ways(self, steps: list[StepOutcomes], outcome: Outcome) -> list[str]:
        """The same for an outcome in each step."""
        return [self.way(step.counts.get(outcome, 0), step.step, **FILTERS[outcome]) for step in steps]


FILTERS: Mapping[Outcome, dict[str, str]] = {
    Outcome.NORMAL: {"status": JobStatus.DONE, "label": "NORMAL", "indeterminate": "false"},
    Outcome.PNEUMONIA: {"status": JobStatus.DONE, "label": "PNEUMONIA", "indeterminate": "false"},
    Outcome.CANNOT_SAY: {"status": JobStatus.DONE, "indeterminate": "true"},
    Outcome.REFUSED: {"status": JobStatus.REFUSED},
    Outcome.FAILED: {"status": JobStatus.FAILED},
}
"""How the history is narrowed to what became of a case. It has no word for the others."""


@dataclass(frozen=True)
class Key:
    """A number to be seen first."""

    name: str
    label: str
    value: str
    note: str = ""
    url: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """A short list beside or instead of a chart."""

    title: str
    columns: list[str]
    rows: list[Row]
    nothing: str
    """What is said where it has no rows."""

    @property
    def lines(self) -> list[tuple[str, list[tuple[str, Cell]]]]:
        """Each row's label, and its cells with the titles of their columns."""
        return [(row.label, list(zip(self.columns[1:], row.cells, strict=True))) for row in self.rows]


@dataclass(frozen=True)
class Part:
    """One card of the dashboard."""

    name: str
    keys: list[Key]
    charts: list[Chart] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    is_empty: bool = False
    """Whether the period has nothing to show."""


def part_of(name: str, asked: Asked) -> Part:
    """The part with that name. Raises KeyError for any other."""
    return _MAKERS[name](asked)


def _cases(asked: Asked) -> Part:
    steps = caseload.outcomes(asked.scope, asked.period)
    whole = caseload.together(asked.period, steps)
    positive = whole.positive
    shown = [kind for kind in Outcome if kind in FILTERS or whole.counts.get(kind)]
    by_outcome = Chart(
        "cases",
        _("Cases per day") if asked.period.by == "day" else _("Cases per week"),
        "bar",
        _title_of_steps(asked.period),
        _labels(asked.period),
        [_outcome_series(asked, steps, kind) for kind in shown],
        stacked=True,
    )
    return Part(
        "cases",
        [
            _key("cases", in_words(whole.total), url=asked.way(whole.total)),
            _share_key("positivity", positive, asked.way(positive.count, **FILTERS[Outcome.PNEUMONIA])),
        ],
        [by_outcome, _positivity(asked, steps)],
        [_outcome_table(asked, whole)],
        is_empty=not whole.total,
    )


def _outcome_series(asked: Asked, steps: list[StepOutcomes], kind: Outcome) -> Series:
    counts = [step.counts.get(kind, 0) for step in steps]
    links = asked.ways(steps, kind) if kind in FILTERS else ()
    return Series(str(kind.label), counts, links=links)


def _positivity(asked: Asked, steps: list[StepOutcomes]) -> Chart:
    shares = [step.positive for step in steps]
    series = Series(
        str(Outcome.PNEUMONIA.label),
        [_hundredths(share.value) for share in shares],
        [_hundredths(share.low) for share in shares],
        [_hundredths(share.high) for share in shares],
        asked.ways(steps, Outcome.PNEUMONIA),
    )
    title = _("Positivity, with its interval (95 %)")
    return Chart(
        "positivity", title, "line", _title_of_steps(asked.period), _labels(asked.period), [series], "%", max=100
    )


def _outcome_table(asked: Asked, whole: StepOutcomes) -> Table:
    rows = []
    for kind in Outcome:
        count = whole.counts.get(kind, 0)
        if not count and kind not in FILTERS:
            continue
        url = asked.way(count, **FILTERS[kind]) if kind in FILTERS else ""
        of_all = Share(count, whole.total)
        rows.append(Row(str(kind.label), [Cell(in_words(count), url), Cell(percent(of_all.value))]))
    return Table(_("All of the time"), [_("Answer"), _("Cases"), _("Share")], rows, "")


def _turnaround(asked: Asked) -> Part:
    whole, steps = caseload.turnaround(asked.scope, asked.period)
    note = ""
    if whole.routine.count:
        note = _("95 %% within %(time)s") % {"time": duration(whole.routine.p95)}
    if whole.urgent.count:
        urgent = _("urgent %(time)s") % {"time": duration(whole.urgent.median)}
        note = f"{note}; {urgent}" if note else urgent
    return Part(
        "turnaround",
        [_key("turnaround", duration(whole.routine.median), note)],
        [_turnaround_chart(asked, steps, has_urgent=bool(whole.urgent.count))],
        [_turnaround_table(asked, whole)],
        is_empty=not (whole.routine.count or whole.urgent.count),
    )


def _turnaround_chart(asked: Asked, steps: list[StepTurnaround], *, has_urgent: bool) -> Chart:
    lines = [
        Series(_("Median"), [step.routine.median for step in steps]),
        Series(_("95th percentile"), [step.routine.p95 for step in steps]),
    ]
    if has_urgent:
        lines += [
            Series(_("Urgent: median"), [step.urgent.median for step in steps]),
            Series(_("Urgent: 95th percentile"), [step.urgent.p95 for step in steps]),
        ]
    title, of_steps = _("Time from sent to answered"), _title_of_steps(asked.period)
    return Chart("turnaround", title, "line", of_steps, _labels(asked.period), lines, "s")


def _turnaround_table(asked: Asked, whole: StepTurnaround) -> Table:
    def row(label: str, found: Turnaround, url: str) -> Row:
        times = [Cell(duration(found.median)), Cell(duration(found.p95))]
        return Row(label, [Cell(in_words(found.count), url), *times])

    urgent = asked.way(whole.urgent.count, urgent="true")
    rows = [row(_("Routine"), whole.routine, ""), row(_("Urgent"), whole.urgent, urgent)]
    columns = [_("Urgency"), _("Answered or refused"), _("Median"), _("95th percentile")]
    return Table(_("All of the time"), columns, rows, "")


def _refusals(asked: Asked) -> Part:
    found = caseload.refusals(asked.scope, asked.period)
    overridden = found.overridden
    refused = [
        Row(fault_name(code), [Cell(in_words(count), asked.way(count, status=JobStatus.REFUSED, refusal=code))])
        for code, count in found.by_code
    ]
    not_taken = [Row(fault_name(code), [Cell(in_words(count))]) for code, count in found.not_taken]
    columns = [_("Reason"), _("Cases")]
    return Part(
        "refusals",
        [
            _key("refused", in_words(found.count), url=asked.way(found.count, **FILTERS[Outcome.REFUSED])),
            _share_key("overridden", overridden, asked.way(overridden.count, overridden="true")),
        ],
        tables=[
            Table(_("Refused when read"), columns, refused, _("Nothing was refused.")),
            Table(_("Files not taken in"), [_("Reason"), _("Files")], not_taken, _("Every file was taken in.")),
        ],
    )


def _agreement(asked: Asked) -> Part:
    found = caseload.agreement(asked.scope, asked.period)
    rows = [
        Row(str(kind.label), [Cell(in_words(count), asked.way(count, reading=kind.value))])
        for kind in Agreement
        if (count := found.counts.get(kind, 0))
    ]
    words = []
    if found.share.of:
        words.append(
            _("%(shown)s of %(all)s readings were signed with the answer in sight.")
            % {"shown": in_words(found.answer_shown), "all": in_words(found.share.of)}
        )
    if asked.scope.known:
        words.append(
            _("What you may still read as the second reader is left out: it would tell you what the first one said.")
        )
    nothing = _(
        "No reading was signed beside an answer. Once a clinician signs one, on the page of a study, it counts here."
    )
    return Part(
        "agreement",
        [_share_key("agreement", found.share, asked.way(found.share.count, reading=Agreement.AGREE.value))],
        tables=[Table(_("Signed readings"), [_("The reader"), _("Cases")], rows, nothing)],
        words=words,
    )


def _drift(asked: Asked) -> Part:
    found = score_drift(asked.scope, asked.period)
    if found is None:
        return Part(
            "drift", [_key("drift", NOTHING)], words=[_("No model is the default, so there is nothing to compare.")]
        )
    compared = found.compared
    words = [_drift_number(compared), str(DRIFT_WORDS[compared.drift]), _basis(found)]
    key = _key("drift", str(compared.drift.label), _drift_number(compared), tone=compared.drift)
    charts = [] if compared.drift is Drift.TOO_FEW else [_drift_chart(found)]
    return Part("drift", [key], charts, words=[line for line in words if line])


def _drift_number(compared: Compared) -> str:
    if compared.index is None:
        return ""
    values = {"index": compared.index, "watch": compared.watch_from, "alarm": compared.alarm_from}
    shown = {name: number(value, 2) for name, value in values.items()}
    return _("Index %(index)s; watch from %(watch)s, alarm from %(alarm)s") % shown


def _basis(found: ScoreDrift) -> str:
    reference, now = found.reference, sum(found.counts)
    basis = str(BASIS_WORDS[reference.basis])
    if reference.basis is Basis.FIRST_ANSWERS:
        basis %= {"count": in_words(round(reference.size))}
    answers = ngettext("%(count)s answer", "%(count)s answers", now) % {"count": in_words(now)}
    return _("%(answers)s by %(model)s, held against %(basis)s.") % {
        "answers": answers,
        "model": found.version,
        "basis": basis,
    }


def _drift_chart(found: ScoreDrift) -> Chart:
    then, now = found.reference.counts, found.counts
    edges = [0.0, *found.reference.edges, 1.0]
    labels = [f"{number(100 * low, 0)}{NOTHING}{number(100 * high, 0)} %" for low, high in pairwise(edges)]
    series = [
        Series(_("Held against"), [100 * count / sum(then) for count in then]),
        Series(_("This time"), [100 * count / sum(now) for count in now]),
    ]
    return Chart("drift", _("Answers by probability"), "bar", _("Probability"), labels, series, "%")


def _health(asked: Asked) -> Part:
    found = caseload.health(asked.scope, asked.period)
    waits_since = date_format(_local(found.oldest), "SHORT_DATETIME_FORMAT") if found.oldest else ""
    pace = found.images_per_second
    rows = [
        Row(_("Waiting"), [Cell(in_words(found.waiting))]),
        Row(_("The oldest waits since"), [Cell(waits_since or NOTHING)]),
        Row(_("Pace"), [Cell(_pace(pace) if pace else NOTHING)]),
        *(
            Row(worker.name, [Cell(", ".join(map(str, worker.model_versions.all())) or _("no model"))])
            for worker in found.workers
        ),
    ]
    errors = [
        Row(
            fault_name(error.code),
            [
                Cell(in_words(error.count), asked.way(error.count, **FILTERS[Outcome.FAILED])),
                Cell(date_format(_local(error.last), "SHORT_DATETIME_FORMAT")),
            ],
        )
        for error in found.errors
    ]
    none_reads = [] if found.workers else [_("No worker was heard of: nothing is read until one starts.")]
    failed = [_("Fault"), _("Cases"), _("Last")]
    return Part(
        "health",
        [_key("waiting", in_words(found.waiting), waits_since and _("since %(time)s") % {"time": waits_since})],
        tables=[
            Table(_("Now"), [_("Measure"), _("Value")], rows, ""),
            Table(_("Last faults"), failed, errors, _("Nothing failed in this time.")),
        ],
        words=none_reads,
    )


_MAKERS: Mapping[str, Callable[[Asked], Part]] = {
    "cases": _cases,
    "turnaround": _turnaround,
    "drift": _drift,
    "refusals": _refusals,
    "agreement": _agreement,
    "health": _health,
}


def _key(name: str, value: str, note: str = "", *, url: str = "", tone: str = "") -> Key:
    label = next(label for keys in KEYS.values() for known, label in keys if known == name)
    return Key(name, str(label), value, note, url, tone)


def _share_key(name: str, share: Share, url: str) -> Key:
    note = ""
    if share.of:
        shown = {"count": in_words(share.count), "of": in_words(share.of)}
        limits = {"low": percent(share.low), "high": percent(share.high)}
        note = _("%(count)s of %(of)s; 95 %% interval %(low)s to %(high)s") % (shown | limits)
    return _key(name, percent(share.value), note, url=url)


def _hundredths(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)


def _title_of_steps(period: Period) -> str:
    return pgettext("of a table", "Day") if period.by == "day" else _("Week from")


def _labels(period: Period) -> list[str]:
    return [date_format(step.since, "SHORT_DATE_FORMAT") for step in period.steps()]


def _local(instant: datetime) -> datetime:
    return timezone.localtime(instant)


def _pace(per_second: float) -> str:
    return _("%(count)s radiographs a minute") % {"count": number(60 * per_second, 0)}
