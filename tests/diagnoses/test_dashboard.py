"""The dashboard: who sees whose figures, with ways to which cases, and what leaves it as files."""

import csv
import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone, translation

from diagnoses.models import AuditEvent, ModelVersion
from diagnoses.models.audit import AuditAction
from diagnoses.models.reading import Agreement
from diagnoses.roles import Role
from diagnoses.states import JobStatus
from diagnoses.views.charts import Chart, Series, duration, percent
from diagnoses.views.dashboard_tables import TABLES
from diagnoses.views.dashboard_words import HELP, PARTS, fault_name
from tests.conftest import make_user
from tests.diagnoses.caseload import make_answer, make_case, sign
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import broken_audit, last_event, queries_of

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MARCH = {"since": "2026-03-01", "until": "2026-03-31"}
IN_MARCH = "since=2026-03-01&amp;until=2026-03-31"
OWN_IN_MARCH = f"own=true&amp;{IN_MARCH}"


def part(client: Client, name: str, **asked: str) -> str:
    response = client.get(f"/dashboard/parts/{name}/", MARCH | asked)
    assert response.status_code == 200
    return response.content.decode()


def lines(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(response.content.decode("utf-8-sig"))))


@pytest.fixture
def cases(clinician: User, outsider: User, model_version: ModelVersion) -> None:
    """The clinician has two pneumonias and a refusal in March, the outsider one pneumonia."""
    sign(make_answer(clinician, model_version, NOON), clinician, Agreement.AGREE)
    make_answer(clinician, model_version, NOON)
    make_case(clinician, model_version, NOON, JobStatus.REFUSED, error_code="not_frontal")
    make_answer(outsider, model_version, NOON)


# The page


def test_the_page_comes_without_counting_and_asks_for_each_part(browser: Client, cases: None) -> None:
    response = browser.get("/dashboard/", MARCH)
    page = response.content.decode()
    for name in PARTS:
        assert f'hx-get="/dashboard/parts/{name}/?{IN_MARCH}"' in page
    assert "The cases that you sent" in page
    assert not AuditEvent.objects.filter(action=AuditAction.FIGURES_VIEWED).exists()
    assert not any("diagnoses_job" in sql for sql in queries_of(lambda: browser.get("/dashboard/", MARCH)))
    assert "no-store" in response["Cache-Control"]


def test_without_scripts_all_is_on_one_page(browser: Client, cases: None) -> None:
    page = browser.get("/dashboard/", MARCH | {"whole": "true"}).content.decode()
    assert "hx-get" not in page[page.index("<main") :]
    assert f'<a href="/history/?{OWN_IN_MARCH}">3</a>' in page
    assert "Refused when read" in page
    assert last_event(AuditAction.FIGURES_VIEWED).detail["what"] == "all"


def test_without_a_choice_the_last_thirty_days_are_shown(browser: Client) -> None:
    response = browser.get("/dashboard/")
    today = timezone.localdate()
    assert response.context["period"].until == today
    assert response.context["period"].since == today - timedelta(days=29)
    assert [preset["is_shown"] for preset in response.context["presets"]] == [False, True, False, False]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"since": "2026-03-31", "until": "2026-03-01"}, "The first day is after the last."),
        ({"since": "2020-01-01", "until": "2026-03-01"}, "more than two years"),
        ({"since": "yesterday"}, "From: Enter a valid date."),
        ({"until": "0001-01-01"}, "no cases in those years"),
        ({"until": "9999-12-31"}, "no cases in those years"),
    ],
)
def test_a_time_that_cannot_be_is_answered_with_what_to_do(browser: Client, asked: dict[str, str], words: str) -> None:
    response = browser.get("/dashboard/", asked)
    assert response.status_code == 400
    assert words in response.content.decode()
    for address in ("/dashboard/parts/cases/", "/dashboard/cases.csv", "/dashboard/figures.json"):
        assert browser.get(address, asked).status_code == 400


@pytest.mark.parametrize("address", ["/dashboard/parts/secrets/", "/dashboard/secrets.csv"])
def test_what_is_no_part_is_not_found(browser: Client, address: str) -> None:
    assert browser.get(address).status_code == 404


# Whose figures, and ways to which cases


def test_a_clinician_sees_their_own_with_ways_to_the_cases(browser: Client, cases: None) -> None:
    found = part(browser, "cases")
    assert f'<a href="/history/?{OWN_IN_MARCH}">3</a>' in found
    assert f'href="/history/?status=done&amp;label=PNEUMONIA&amp;indeterminate=false&amp;{OWN_IN_MARCH}">2</a>' in found
    assert "2 of 2; 95 % interval 34.2 % to 100.0 %" in found
    of_day = "own=true&amp;since=2026-03-10&amp;until=2026-03-10"
    assert f'href="/history/?status=refused&amp;{of_day}">1</a>' in found
    assert f'refusal=not_frontal&amp;{OWN_IN_MARCH}">1</a>' in part(browser, "refusals")
    assert f'reading=agree&amp;{OWN_IN_MARCH}">100.0 %</a>' in part(browser, "agreement")


def test_an_outsider_sees_nothing_of_it(outsider: User, cases: None) -> None:
    found = part(browser_of(outsider), "cases")
    assert f'<a href="/history/?{OWN_IN_MARCH}">1</a>' in found
    assert "Nothing was refused." in part(browser_of(outsider), "refusals")
    assert "No reading was signed" in part(browser_of(outsider), "agreement")


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMINISTRATOR])
def test_who_may_see_no_case_sees_the_sites_numbers_and_no_way(role: Role, cases: None) -> None:
    browser = browser_of(make_user("overseer", role, is_staff=True))
    found = part(browser, "cases")
    assert '<p class="key-value">4</p>' in found
    assert not any("/history/" in part(browser, name) for name in PARTS)
    assert "The whole site" in browser.get("/dashboard/").content.decode()


def test_a_radiologist_sees_the_sites_numbers_with_ways(cases: None) -> None:
    found = part(browser_of(make_user("radiologist", Role.RADIOLOGIST)), "cases")
    assert f'<a href="/history/?{IN_MARCH}">4</a>' in found


@pytest.mark.parametrize("name", PARTS)
def test_a_time_without_cases_says_so_and_what_to_do(browser: Client, name: str) -> None:
    found = part(browser, name, since="2020-01-01", until="2020-01-02")
    told = {
        "cases": "Choose a longer one above",
        "turnaround": "Choose a longer one above",
        "drift": "No model is the default",
        "refusals": "Nothing was refused.",
        "agreement": "Once a clinician signs one",
        "health": "nothing is read until one starts",
    }
    assert told[name] in found


def test_every_key_number_has_its_help_and_every_table_its_card(browser: Client) -> None:
    response = browser.get("/dashboard/")
    assert {key["name"] for key in response.context["keys"]} == set(HELP)
    assert set(TABLES) == set(PARTS)


# On record


def test_each_look_is_on_record_and_without_a_record_there_is_none(browser: Client, cases: None) -> None:
    part(browser, "cases")
    event = last_event(AuditAction.FIGURES_VIEWED)
    assert event.actor_name == "clinician"
    assert event.detail == {"what": "cases", "of": "own", **MARCH}
    browser.raise_request_exception = False
    with broken_audit():
        response = browser.get("/dashboard/parts/cases/", MARCH)
    assert response.status_code == 500
    assert b"/history/" not in response.content.split(b"<main")[1]


# Files


def test_a_table_as_csv_has_a_line_for_each_day_and_one_for_all(browser: Client, cases: None) -> None:
    response = browser.get("/dashboard/cases.csv", MARCH)
    assert response["Content-Disposition"] == 'attachment; filename="cases-2026-03-01-2026-03-31.csv"'
    rows = lines(response)
    assert len(rows) == 32
    assert (rows[9]["since"], rows[9]["pneumonia"], rows[9]["refused"], rows[9]["total"]) == (
        "2026-03-10",
        "2",
        "1",
        "3",
    )
    assert (rows[31]["since"], rows[31]["until"], rows[31]["total"]) == ("2026-03-01", "2026-03-31", "3")
    assert rows[0]["positivity"] == ""
    assert rows[9]["positivity"] == "1.0"
    assert last_event(AuditAction.FIGURES_VIEWED).detail["what"] == "cases.csv"


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_had_as_csv_by_all_and_of_their_own_alone(outsider: User, cases: None, name: str) -> None:
    response = browser_of(outsider).get(f"/dashboard/{name}.csv", MARCH)
    assert response.status_code == 200
    assert "not_frontal" not in response.content.decode()


def test_no_cell_of_a_csv_is_run_by_a_spreadsheet(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    make_case(clinician, model_version, NOON, JobStatus.REFUSED, error_code='=HYPERLINK("x")')
    rows = lines(browser.get("/dashboard/refusals.csv", MARCH))
    assert rows[0]["code"] == '\'=HYPERLINK("x")'


def test_all_tables_are_had_as_json(auditor: User, cases: None) -> None:
    figures = json.loads(browser_of(auditor).get("/dashboard/figures.json", MARCH).content)
    assert (figures["schema"], figures["of"], figures["since"]) == ("figures/1", "site", "2026-03-01")
    assert set(figures["tables"]) == set(TABLES)
    assert figures["tables"]["cases"][-1]["pneumonia"] == 3
    assert figures["tables"]["agreement"][0]["agree"] == 1


# Words and numbers


def test_numbers_are_written_as_the_users_language_does(browser: Client, cases: None) -> None:
    assert "34.2 %" in part(browser, "cases")
    browser.post("/preferences/language/", {"language": "vi", "next": "/"})
    assert "34,2 %" in part(browser, "cases")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "\N{EN DASH}"), (1.44, "1.4 s"), (99.9, "99.9 s"), (100, "2 min"), (6000, "1.7 h")],
)
def test_a_time_is_told_in_the_unit_that_people_would_use(seconds: float | None, words: str) -> None:
    with translation.override("en"):
        assert duration(seconds) == words


@pytest.mark.parametrize(
    ("share", "words"), [(0, "0.0 %"), (0.0004, "< 0.1 %"), (0.5, "50.0 %"), (0.9996, "> 99.9 %"), (1, "100.0 %")]
)
def test_a_share_that_is_not_quite_none_or_all_is_not_called_so(share: float, words: str) -> None:
    with translation.override("en"):
        assert percent(share) == words


def test_a_chart_and_its_table_hold_the_same() -> None:
    series = [
        Series("A", [1, None, 3], links=["/a", "", "/c"]),
        Series("B", [50.0, None, 2.5], [40, None, 1], [60, None, 4]),
    ]
    chart = Chart("one", "One", "line", "Day", ["x", "y", "z"], series, "%", max=100)
    assert chart.data == {
        "kind": "line",
        "stacked": False,
        "labels": ["x", "y", "z"],
        "series": [
            {"label": "A", "values": [1, None, 3]},
            {"label": "B", "values": [50.0, None, 2.5], "low": [40, None, 1], "high": [60, None, 4]},
        ],
        "unit": "%",
        "max": 100,
    }
    with translation.override("en"):
        assert [(row.label, [(cell.text, cell.url) for cell in row.cells]) for row in chart.rows] == [
            ("x", [("1.0 %", "/a"), ("50.0 % (40.0 % \N{EN DASH} 60.0 %)", "")]),
            ("z", [("3.0 %", "/c"), ("2.5 % (1.0 % \N{EN DASH} 4.0 %)", "")]),
        ]


def test_a_code_without_words_stands_for_itself() -> None:
    assert fault_name("not_frontal") == "No frontal view"
    assert fault_name("brand_new") == "Brand new"
