"""The dashboard: figures of the whole site for whom they are meant, and for a clinician of their own cases.

The page comes at once, and each of its parts is asked for by itself, since counting a year takes a while.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from diagnoses import audit
from diagnoses.export import table_csv
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.caseload import scope_of
from diagnoses.selectors.periods import Period
from diagnoses.views.dashboard_parts import KEYS, Asked, Part, part_of
from diagnoses.views.dashboard_tables import TABLES, table_of
from diagnoses.views.dashboard_words import HELP, OWN_CASES, PARTS, WHOLE_SITE
from diagnoses.views.periods import PRESETS, PeriodForm, last_days

SCHEMA = "figures/1"
"""Of the JSON. Raised when a key changes its meaning."""


@require_safe
@never_cache
def dashboard(request: HttpRequest) -> HttpResponse:
    """The page: its parts follow by themselves, or come with it for a browser without scripts (`whole`)."""
    form = PeriodForm(request.GET)
    if not form.is_valid():
        return render(request, "diagnoses/dashboard.html", {"form": form, "presets": _presets(None)}, status=400)
    asked = Asked(scope_of(request.user), form.period())
    whole = "whole" in request.GET
    if whole:
        _record(request, asked, "all")
    query = _query(asked.period)
    cards = [_card(name, asked, query, whole=whole) for name in PARTS]
    context = {
        "form": PeriodForm(initial={"since": asked.period.since, "until": asked.period.until}),
        "presets": _presets(asked.period),
        "period": asked.period,
        "whose": WHOLE_SITE if asked.scope.owner_id is None else OWN_CASES,
        "whole_query": f"{query}&whole=true",
        "query": query,
        "cards": cards,
        "keys": [key for card in cards for key in card["keys"]],
        "tables": [{"title": PARTS[name], "url": _with(query, "dashboard_csv", name)} for name in TABLES],
        "json_url": _with(query, "dashboard_json"),
    }
    return render(request, "diagnoses/dashboard.html", context)


@require_safe
@never_cache
def dashboard_part(request: HttpRequest, name: str) -> HttpResponse:
    """What is in one of the page's cards, and its key numbers."""
    asked = _asked(request, name)
    if isinstance(asked, HttpResponse):
        return asked
    _record(request, asked, name)
    return render(request, "diagnoses/_dashboard_part.html", {"part": part_of(name, asked), "help": HELP})


@require_safe
@never_cache
def dashboard_csv(request: HttpRequest, name: str) -> HttpResponse:
    """One table as CSV."""
    asked = _asked(request, name)
    if isinstance(asked, HttpResponse):
        return asked
    _record(request, asked, f"{name}.csv")
    response = HttpResponse(
        table_csv(table_of(name, asked.scope, asked.period)), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{name}-{asked.period.since}-{asked.period.until}.csv"'
    return response


@require_safe
@never_cache
def dashboard_json(request: HttpRequest) -> HttpResponse:
    """All tables as JSON."""
    asked = _asked(request)
    if isinstance(asked, HttpResponse):
        return asked
    _record(request, asked, "json")
    figures = {
        "schema": SCHEMA,
        "of": "site" if asked.scope.owner_id is None else "own",
        "since": asked.period.since.isoformat(),
        "until": asked.period.until.isoformat(),
        "made_at": timezone.localtime().isoformat(timespec="seconds"),
        "tables": {name: table_of(name, asked.scope, asked.period) for name in TABLES},
    }
    response = JsonResponse(figures, json_dumps_params={"indent": 2})
    name = f"figures-{asked.period.since}-{asked.period.until}.json"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _asked(request: HttpRequest, name: str = "") -> Asked | HttpResponse:
    """What is asked for, or the answer to who asks wrongly. Raises Http404 for a part that there is not."""
    if name and name not in PARTS:
        raise Http404
    form = PeriodForm(request.GET)
    if not form.is_valid():
        return HttpResponseBadRequest(_("The time is not valid. Go back to the dashboard and set it again."))
    return Asked(scope_of(request.user), form.period())


def _record(request: HttpRequest, asked: Asked, what: str) -> None:
    of = "site" if asked.scope.owner_id is None else "own"
    since, until = str(asked.period.since), str(asked.period.until)
    audit.record(AuditAction.FIGURES_VIEWED, audit.actor_of(request), what=what, of=of, since=since, until=until)


def _card(name: str, asked: Asked, query: str, *, whole: bool) -> dict[str, Any]:
    part = part_of(name, asked) if whole else None
    return {
        "name": name,
        "title": PARTS[name],
        "url": _with(query, "dashboard_part", name),
        "part": part,
        "keys": list(_keys(name, part)),
    }


def _keys(name: str, part: Part | None) -> Iterator[dict[str, Any]]:
    """The key numbers of a part, or what stands in their place until it comes."""
    for place, (key, label) in enumerate(KEYS[name]):
        yield {"part": name, "name": key, "label": label, "key": part.keys[place] if part else None, "help": HELP[key]}


def _presets(shown: Period | None) -> list[dict[str, Any]]:
    periods = {days: last_days(days) for days in PRESETS}
    return [{"days": days, "query": _query(period), "is_shown": period == shown} for days, period in periods.items()]


def _query(period: Period) -> str:
    return urlencode({"since": period.since, "until": period.until})


def _with(query: str, address: str, *args: str) -> str:
    return f"{reverse(address, args=args)}?{query}"
