"""The dashboard's figures as plain tables, for programs: names in English, shares 0 to 1, times in seconds."""

from collections.abc import Callable, Mapping
from typing import Any

from diagnoses.models.reading import Agreement
from diagnoses.selectors import caseload
from diagnoses.selectors.caseload import Outcome, Scope, StepOutcomes, Turnaround
from diagnoses.selectors.drift import score_drift
from diagnoses.selectors.periods import Period
from diagnoses.selectors.shares import Share

Line = dict[str, Any]


def table_of(name: str, scope: Scope, period: Period) -> list[Line]:
    """The rows of one table, each with the same keys. Raises KeyError for a name that none has."""
    return _TABLES[name](scope, period)


def _cases(scope: Scope, period: Period) -> list[Line]:
    steps = caseload.outcomes(scope, period)
    return [_of_outcomes(step) for step in (*steps, caseload.together(period, steps))]


def _of_outcomes(found: StepOutcomes) -> Line:
    counts = {kind.value: found.counts.get(kind, 0) for kind in Outcome}
    return _days(found.step) | counts | {"total": found.total} | _share("positivity", found.positive)


def _turnaround(scope: Scope, period: Period) -> list[Line]:
    whole, steps = caseload.turnaround(scope, period)
    return [
        _days(found.step) | _times("routine", found.routine) | _times("urgent", found.urgent)
        for found in (*steps, whole)
    ]


def _refusals(scope: Scope, period: Period) -> list[Line]:
    found = caseload.refusals(scope, period)
    counts = [("refused", *row) for row in found.by_code] + [("not_taken", *row) for row in found.not_taken]
    counts += [("overridden", "", found.overridden.count), ("refused_by_gate", "", found.overridden.of)]
    return [{"kind": kind, "code": code, "count": count} for kind, code, count in counts]


def _agreement(scope: Scope, period: Period) -> list[Line]:
    found = caseload.agreement(scope, period)
    counts = {kind.value: found.counts.get(kind, 0) for kind in Agreement}
    return [counts | {"answer_shown": found.answer_shown} | _share("share", found.share)]


def _drift(scope: Scope, period: Period) -> list[Line]:
    found = score_drift(scope, period)
    if found is None:
        return []
    edges = [0.0, *found.reference.edges, 1.0]
    return [
        {
            "model": str(found.version),
            "reference": found.reference.basis.value,
            "drift": found.compared.drift.value,
            "index": found.compared.index,
            "watch_from": found.compared.watch_from,
            "alarm_from": found.compared.alarm_from,
            "probability_from": edges[place],
            "probability_to": edges[place + 1],
            "reference_count": then,
            "count": now,
        }
        for place, (then, now) in enumerate(zip(found.reference.counts, found.counts, strict=True))
    ]


def _health(scope: Scope, period: Period) -> list[Line]:
    found = caseload.health(scope, period)
    facts = {
        "waiting": found.waiting,
        "oldest_waits_since": found.oldest.isoformat() if found.oldest else None,
        "images_per_second": found.images_per_second,
        "workers": len(found.workers),
    }
    lines = [{"fact": name, "value": value, "last": None} for name, value in facts.items()]
    return lines + [
        {"fact": f"failed: {error.code}", "value": error.count, "last": error.last.isoformat()}
        for error in found.errors
    ]


_TABLES: Mapping[str, Callable[[Scope, Period], list[Line]]] = {
    "cases": _cases,
    "turnaround": _turnaround,
    "refusals": _refusals,
    "agreement": _agreement,
    "drift": _drift,
    "health": _health,
}
TABLES = tuple(_TABLES)


def _days(step: Period) -> Line:
    return {"since": step.since.isoformat(), "until": step.until.isoformat()}


def _share(name: str, share: Share) -> Line:
    return {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high}


def _times(name: str, found: Turnaround) -> Line:
    return {f"{name}_count": found.count, f"{name}_median": found.median, f"{name}_p95": found.p95}
