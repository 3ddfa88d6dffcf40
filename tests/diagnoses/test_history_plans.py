"""A page of the history is read off an index, whatever is looked for; no table is read or sorted for it."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from diagnoses.forms import HistoryForm
from diagnoses.selectors import narrowing, words
from diagnoses.selectors.history import history_page
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.selectors.sight import sees_every_study
from tests.bench.history import queries, seed
from tests.bench.history_users import MEMBER, OTHER, OWNER

LOOKED_THROUGH = 500
MOST_ROWS = 150
"""That one step of a query may look at: a page of each range that is merged, and some that the page does not show."""
NOT_OF_THE_BENCH = {
    "urgent": {"urgent": "true"},
    "sex": {"sex": "F"},
    "overridden": {"overridden": "true"},
    "agreed with": {"reading": "agree"},
    "signed by nobody": {"reading": "none"},
    "own": {"own": "true"},
}
BIG_TABLES = {f"diagnoses_{name}" for name in ("job", "image", "study", "result")}


def plans_of(act: Callable[[], Any]) -> list[dict[str, Any]]:
    """How PostgreSQL carried out each query that `act` sends."""
    sent: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        act()
    plans = []
    with connection.cursor() as cursor:
        for sql, params in sent:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
            (explained,) = cursor.fetchone()
            plans.append((json.loads(explained) if isinstance(explained, str) else explained)[0]["Plan"])
    return plans


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes_of(child)


def rows_looked_at(node: dict[str, Any]) -> float:
    """Those that a step of a plan gave on or threw away."""
    thrown_away = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return float((node["Actual Rows"] + thrown_away) * node["Actual Loops"])


def faults_of(node: dict[str, Any], most_rows: int) -> Iterator[str]:
    """What is wrong with a step of a plan."""
    kind, table = node["Node Type"], node.get("Relation Name")
    if kind == "Seq Scan" and table in BIG_TABLES:
        yield f"reads all of {table}"
    if (table in BIG_TABLES or kind == "Bitmap Index Scan") and rows_looked_at(node) > most_rows:
        yield f"looks at {rows_looked_at(node):.0f} rows ({node.get('Index Name', table)})"
    if "Sort" in kind and any(rows_looked_at(child) > most_rows for child in node["Plans"]):
        yield "sorts more than a page"


def faults_with(user: User, wanted: HistoryFilter) -> Iterator[str]:
    """What is wrong with the first two pages."""
    # No index holds all readings by their answer: of these a page walks down until it has found enough.
    looked_through = words.asked_for(wanted) or narrowing.condition_of(user, wanted) is not None
    walks = looked_through or (sees_every_study(user) and wanted.narrows)
    most_rows = 3 * LOOKED_THROUGH if walks else MOST_ROWS
    second = history_page(user, wanted).next_cursor
    for page, cursor in (("first page", ""), ("second page", second))[: 1 + bool(second)]:
        for plan in plans_of(partial(history_page, user, wanted, cursor)):
            for node in nodes_of(plan):
                yield from (f"{page} {fault}" for fault in faults_of(node, most_rows))


@pytest.mark.django_db
def test_no_page_of_the_history_reads_or_sorts_a_whole_table(monkeypatch: pytest.MonkeyPatch) -> None:
    seed(12_000)
    monkeypatch.setattr(words, "_LOOKED_THROUGH", LOOKED_THROUGH)
    monkeypatch.setattr(narrowing, "LOOKED_THROUGH", LOOKED_THROUGH)
    faults = {}
    for user in User.objects.filter(pk__in=(OWNER, OTHER, MEMBER)):
        for name, query in (queries() | NOT_OF_THE_BENCH).items():
            form = HistoryForm(query)
            assert form.is_valid(), name
            faults[user.username, name] = list(faults_with(user, form.wanted()))
    assert {who_and_what: wrong for who_and_what, wrong in faults.items() if wrong} == {}


@pytest.mark.django_db
@pytest.mark.parametrize("query", [{}, {"patient_id": "P-0000777"}, {"since": "2020-01-01"}])
def test_a_page_of_the_history_of_all_reads_no_whole_table(radiologist: User, query: dict[str, str]) -> None:
    seed(12_000)
    form = HistoryForm(query)
    assert form.is_valid()
    assert list(faults_with(radiologist, form.wanted())) == []
