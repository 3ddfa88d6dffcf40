"""What the history is narrowed to beside its indexes: found, nothing missed, and never a whole table looked at."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from diagnoses.models import Image, Job, ModelVersion, Profile, Study
from diagnoses.selectors import narrowing, words
from diagnoses.selectors.history import PAGE_SIZE, find_jobs, find_studies, history_page
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.states import JobStatus
from tests.bench.history import seed
from tests.bench.history_users import OWNER
from tests.diagnoses.factory import make_job, make_reading, make_study
from tests.diagnoses.test_history import add_many, get, names_on, next_of
from tests.diagnoses.test_history_plans import faults_of, nodes_of, plans_of

LOOKED_THROUGH = 200
"""A small part of any range, as the real number is of those that grow. For most of a range all of it may be sorted."""


@pytest.fixture
def cases(clinician: User, outsider: User, model_version: ModelVersion) -> None:
    """Five readings, d the newest but for e, which nobody has read."""
    girl = make_study(clinician, model_version, patient_sex="F", patient_id="P-1")
    boy = make_study(clinician, model_version, patient_sex="M")
    agreed = make_job(girl, model_version, JobStatus.DONE, filename="a.png")
    make_reading(agreed.image, clinician, "PNEUMONIA", "agree")
    refused: dict[str, Any] = {"error_code": "not_frontal", "error_message": "No frontal view."}
    make_job(girl, model_version, JobStatus.REFUSED, filename="b.png", **refused)
    overridden: dict[str, Any] = {"override_code": "inverted", "override_by": "x", "override_reason": "y"}
    changed = make_job(boy, model_version, JobStatus.DONE, filename="c.png", **overridden, override_at=Now())
    first = make_reading(changed.image, outsider, "PNEUMONIA", "agree")
    make_reading(changed.image, outsider, "NORMAL", "disagree", replaces=first)
    make_job(boy, model_version, JobStatus.REFUSED, filename="d.png", error_code="damaged", error_message="Damaged.")
    make_job(boy, model_version, filename="e.png", urgent=True)
    for number, job in enumerate(sorted(Job.objects.all(), key=lambda job: job.image.filename)):
        Job.objects.filter(pk=job.pk).update(created_at=Now() + timedelta(seconds=number))


FOUND: list[tuple[dict[str, str], list[str]]] = [
    ({"refusal": "not_frontal"}, ["b.png"]),
    ({"refusal": "damaged"}, ["d.png"]),
    ({"refusal": "inverted"}, []),
    ({"refusal": "not_frontal", "status": "done"}, []),
    ({"refusal": "not_frontal", "label": "NORMAL"}, []),
    ({"overridden": "true"}, ["c.png"]),
    ({"urgent": "true"}, ["e.png"]),
    ({"sex": "F"}, ["b.png", "a.png"]),
    ({"sex": "O"}, []),
    ({"reading": "agree"}, ["a.png"]),
    ({"reading": "disagree"}, ["c.png"]),
    ({"reading": "cannot_tell"}, []),
    ({"reading": "none"}, ["e.png", "d.png", "b.png"]),
    ({"reading": "none", "sex": "M", "status": "refused"}, ["d.png"]),
    ({"search": "png", "sex": "F"}, ["b.png", "a.png"]),
    ({"search": "a.png", "sex": "M"}, []),
    ({"patient_id": "P-1", "reading": "agree"}, ["a.png"]),
    ({"label": "PNEUMONIA", "overridden": "true", "reading": "disagree"}, ["c.png"]),
]


@pytest.mark.parametrize(("query", "found"), FOUND, ids=str)
def test_filters_combine_and_what_matches_all_of_them_is_found(
    browser: Client, clinician: User, cases: None, query: dict[str, str], found: list[str]
) -> None:
    assert names_on(get(browser, **query)) == found
    said: dict[str, Any] = {name: True if value == "true" else value for name, value in query.items()}
    assert [job.image.filename for job in find_jobs(clinician, HistoryFilter(**said))] == found
    images = [image for image in Image.objects.all() if image.filename in found]
    studies = Study.objects.filter(images__in=images).distinct()
    assert set(find_studies(clinician, HistoryFilter(**said))) == set(studies)


@pytest.mark.parametrize(
    ("name", "value"),
    [("refusal", "ugly"), ("overridden", "no"), ("urgent", "very"), ("reading", "perhaps"), ("sex", "X")],
)
def test_a_filter_that_makes_no_sense_is_answered_with_400(browser: Client, cases: None, name: str, value: str) -> None:
    response = get(browser, **{name: value})
    assert response.status_code == 400
    assert names_on(response) == []
    assert '<details class="more mt-2" open>' in response.content.decode()


def test_days_in_the_wrong_order_are_said(browser: Client, cases: None) -> None:
    response = get(browser, since="2026-03-02", until="2026-03-01")
    assert response.status_code == 400
    assert "This day lies before the first one." in response.content.decode()


def test_who_goes_on_finds_all_that_matches_each_once(
    browser: Client, clinician: User, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narrowing, "LOOKED_THROUGH", 2 * PAGE_SIZE)
    add_many(clinician, model_version, 6 * PAGE_SIZE, apart=timedelta(0))
    Job.objects.filter(image__position__in=range(0, 6 * PAGE_SIZE, 10)).update(urgent=True)
    names, pages, link = [], 0, "?urgent=true"
    while link:
        response = browser.get(reverse("history") + link)
        pages += 1
        names += names_on(response)
        link = next_of(response) or ""
        assert ("Look further back" in response.content.decode()) == bool(link)
    assert sorted(names) == [f"case-{number:03}.png" for number in range(0, 6 * PAGE_SIZE, 10)]
    assert pages == 4, "three of fifty readings each, and one that finds that this was all"


def test_an_empty_part_says_that_there_is_more_to_look_through(
    browser: Client, clinician: User, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narrowing, "LOOKED_THROUGH", 10)
    add_many(clinician, model_version, 20)
    page = get(browser, overridden="true").content.decode()
    assert "Nothing matched yet." in page
    assert "No case matches." not in page


def test_a_full_page_of_matches_leads_on_as_ever(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    add_many(clinician, model_version, PAGE_SIZE + 3)
    Job.objects.update(urgent=True)
    first = get(browser, urgent="true")
    assert len(names_on(first)) == PAGE_SIZE
    assert "Earlier cases" in first.content.decode()
    assert len(names_on(browser.get(reverse("history") + str(next_of(first))))) == 3


def test_a_filter_by_answers_tells_nothing_of_what_is_hidden(
    browser: Client, clinician: User, cases: None, model_version: ModelVersion
) -> None:
    make_job(make_study(clinician, model_version), model_version, JobStatus.DONE, filename="unread.png")
    Profile.objects.create(user=clinician, reads_first=True)
    for asked in ({"label": "PNEUMONIA"}, {"reading": "disagree"}, {"indeterminate": "false"}):
        refused = browser.get(reverse("history"), asked)
        assert refused.status_code == 400
        assert names_on(refused) == []
    page = unescape(get(browser, search="unread.png").content.decode())
    assert "Hidden until you have read" in page
    assert "93.1" not in page


def test_no_page_looks_at_more_than_its_share_of_a_large_history(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(12_000)
    for selector, name in ((narrowing, "LOOKED_THROUGH"), (words, "_LOOKED_THROUGH")):
        monkeypatch.setattr(selector, name, LOOKED_THROUGH)
    user = User.objects.get(pk=OWNER)
    faults = {}
    filters: list[dict[str, Any]] = [
        {"refusal": "not_frontal"},
        {"refusal": "inverted"},
        {"overridden": True},
        {"urgent": True},
        {"sex": "F"},
        {"sex": "O"},
        {"reading": "none"},
        {"reading": "disagree"},
        {"reading": "agree", "label": "NORMAL", "sex": "M"},
        {"search": "cough", "sex": "O"},
        {"search": "sarcoidosis", "sex": "O"},
    ]
    for said in filters:
        plans = plans_of(lambda said=said: history_page(user, HistoryFilter(**said)))  # type: ignore[misc]
        nodes = [node for plan in plans for node in nodes_of(plan)]
        faults[str(said)] = [fault for node in nodes for fault in faults_of(node, 3 * LOOKED_THROUGH)]
    assert {said: wrong for said, wrong in faults.items() if wrong} == {}


# What is shown: chips and columns


def chips_on(response: Any) -> dict[str, str]:
    """What is set, each with where its removal leads."""
    found = re.findall(r'<a class="chip" href="([^"]+)"><span[^>]*>([^<]*)</span>([^<]*)<', response.content.decode())
    return {f"{label} {value.strip()}": unescape(href) for href, label, value in found}


def test_each_thing_that_is_set_is_removed_on_its_own(browser: Client, cases: None) -> None:
    assert chips_on(get(browser)) == {}
    response = get(browser, search="png", sex="F", since="2020-01-01", model="")
    chips = chips_on(response)
    address = response.redirect_chain[0][0]
    assert "png" not in address
    assert chips["Sex: Female"] == address.replace("sex=F&", "")
    assert chips["Search: png"] == f"{reverse('history')}?sex=F&since=2020-01-01&model="
    assert len(chips) == 3


def test_more_filters_are_open_where_one_of_them_is_set_and_else_closed(browser: Client, cases: None) -> None:
    for query, is_open in (({}, False), ({"search": "a"}, False), ({"sex": "F"}, True)):
        assert ('<details class="more mt-2" open>' in get(browser, **query).content.decode()) == is_open


def headings_on(response: Any) -> list[str]:
    return re.findall(r'<th scope="col">([^<]*)</th>', unescape(response.content.decode()))


def test_the_columns_that_a_user_chose_are_shown_and_stay(browser: Client, clinician: User, cases: None) -> None:
    assert headings_on(get(browser)) == ["Sent", "Patient", "File", "Answer", "Probability", "Model"]
    chosen = {"columns": ["finding", "sex", "file"], "query": "sex=F"}
    response = browser.post(reverse("history_columns"), chosen)
    assert (response.status_code, response["Location"]) == (302, f"{reverse('history')}?sex=F")
    assert Profile.objects.get(user=clinician).history_columns == ["finding", "sex", "file"]
    response = get(browser, search="a.png")
    assert headings_on(response) == ["Sex", "File", "Clinician's reading"]
    assert "Pneumonia (Agrees)" in response.content.decode()
    browser.post(reverse("history_columns"), {"usual": "1"})
    assert headings_on(get(browser))[0] == "Sent"


@pytest.mark.parametrize("columns", [[], ["password"]], ids=str)
def test_no_column_and_an_unknown_one_are_refused_with_words(
    browser: Client, clinician: User, columns: list[str]
) -> None:
    response = browser.post(reverse("history_columns"), {"columns": columns})
    assert response.status_code == 400
    assert 'role="alert"' in response.content.decode()
    assert not Profile.objects.exists()


def test_columns_that_are_no_more_leave_the_usual_ones(browser: Client, clinician: User, cases: None) -> None:
    Profile.objects.create(user=clinician, history_columns=["gone"])
    assert headings_on(get(browser))[0] == "Sent"
