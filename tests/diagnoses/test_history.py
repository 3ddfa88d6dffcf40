"""The history: found by what one knows of a case, page by page, without a gap or a repeat."""

import base64
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from diagnoses.models import Image, Job, ModelVersion, Study
from diagnoses.searching import opened_query
from diagnoses.selectors.history import PAGE_SIZE, find_jobs, history_page
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.states import JobStatus
from tests.diagnoses.factory import make_job, make_model_version, make_result, make_study, queries_of

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def add_many(owner: User, model_version: ModelVersion, count: int, *, apart: timedelta = timedelta(seconds=1)) -> Study:
    """A study of `count` queued jobs whose files are named by their age, "case-000" the oldest."""
    study = make_study(owner, model_version)
    images = Image.objects.bulk_create(
        Image(
            study=study,
            position=number,
            filename=f"case-{number:03}.png",
            kind="png",
            byte_size=1,
            sha256="0" * 64,
            width=160,
            height=120,
            stored_name=f"originals/{study.pk}/{number}",
        )
        for number in range(count)
    )
    Job.objects.bulk_create(
        Job(image=image, model_version=model_version, created_at=NOON + image.position * apart) for image in images
    )
    return study


def get(browser: Client, **query: str) -> Any:
    return browser.get(reverse("history"), query, follow=True)


def names_on(response: Any) -> list[str]:
    found = re.findall(r'<td data-label="File"[^>]*>([^<]*)</td>', response.content.decode())
    return [unescape(name) for name in found]


def next_of(response: Any) -> str | None:
    found = re.search(r'rel="next" href="([^"]+)"', response.content.decode())
    return unescape(found[1]) if found else None


def pages_from(browser: Client, first: Any) -> list[list[str]]:
    """The file names on each page, following the links."""
    pages = [names_on(first)]
    link = next_of(first)
    while link:
        response = browser.get(reverse("history") + link)
        assert response.status_code == 200
        pages.append(names_on(response))
        link = next_of(response)
    return pages


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.fixture
def cases(clinician: User, model_version: ModelVersion) -> None:
    """Four cases that differ in all that can be looked for."""
    other_model = make_model_version(name="densenet121", version="3.0.0")
    rows: list[tuple[str, ModelVersion, JobStatus, str, dict[str, str]]] = [
        ("a.png", model_version, JobStatus.DONE, "PNEUMONIA", {"patient_id": "P-100", "clinical_note": "Sốt cao"}),
        ("b.png", model_version, JobStatus.DONE, "NORMAL", {"patient_id": "P-10", "accession_number": "ACC-5%"}),
        ("c.png", other_model, JobStatus.FAILED, "", {"patient_id": "Q-7"}),
        ("d_100.png", other_model, JobStatus.QUEUED, "", {}),
    ]
    for day, (filename, version, status, label, details) in enumerate(rows):
        study = make_study(clinician, version, **details)
        created_at = NOON + timedelta(days=day)
        waiting = JobStatus.QUEUED if label else status
        job = make_job(study, version, waiting, filename=filename, created_at=created_at)
        if label:
            unsure = "band" if label == "NORMAL" else ""
            probability = 0.9 if label == "PNEUMONIA" else 0.1
            make_result(job, label=label, probability=probability, indeterminate_reason=unsure)
            Job.objects.filter(pk=job.pk).update(status=status)


def test_the_newest_case_comes_first_with_what_there_is_to_know(browser: Client, cases: None) -> None:
    response = get(browser)
    assert names_on(response) == ["d_100.png", "c.png", "b.png", "a.png"]
    page = " ".join(unescape(response.content.decode()).split())
    for words in ("P-100", "Pneumonia</span>", "90.0 %", "Cannot say</span>", "10.0 %", "Failed</span>"):
        assert words in page
    assert "densenet121 3.0.0" in page
    for study in Study.objects.all():
        assert f'href="{reverse("study", args=[study.pk])}"' in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"label": "PNEUMONIA"}, ["a.png"]),
        ({"label": "NORMAL"}, ["b.png"]),
        ({"indeterminate": "true"}, ["b.png"]),
        ({"indeterminate": "true", "label": "PNEUMONIA"}, []),
        ({"status": "done"}, ["b.png", "a.png"]),
        ({"status": "failed"}, ["c.png"]),
        ({"status": "running"}, []),
        ({"patient_id": "P-10"}, ["b.png"]),
        ({"patient_id": "P-1"}, []),
        ({"model": "densenet121"}, ["d_100.png", "c.png"]),
        ({"since": "2026-03-12"}, ["d_100.png", "c.png"]),
        ({"until": "2026-03-11"}, ["b.png", "a.png"]),
        ({"since": "2026-03-11", "until": "2026-03-11"}, ["b.png"]),
        ({"search": "a.PNG"}, ["a.png"]),
        ({"search": "p-10"}, ["b.png"]),
        ({"search": "acc-5"}, ["b.png"]),
        ({"search": "sốt"}, ["a.png"]),
        ({"search": "%"}, []),
        ({"search": "d_100"}, ["d_100.png"]),
        ({"search": "nobody"}, []),
        ({"status": "done", "label": "NORMAL", "patient_id": "P-10", "model": "mobilenet_v2"}, ["b.png"]),
        ({"status": "done", "model": "densenet121"}, []),
        ({"search": "png", "status": "failed", "since": "2026-03-12", "until": "2026-03-12"}, ["c.png"]),
    ],
    ids=str,
)
def test_a_filter_finds_what_matches_all_of_it(
    browser: Client, cases: None, query: dict[str, str], found: list[str]
) -> None:
    assert names_on(get(browser, **query)) == found


def test_a_day_is_a_day_of_the_site_and_not_of_greenwich(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    # 18:00 in Greenwich is one o'clock of the next day in Ho Chi Minh City.
    study = make_study(clinician, model_version)
    make_job(study, model_version, created_at=datetime(2026, 3, 10, 18, tzinfo=UTC))
    assert len(names_on(get(browser, since="2026-03-11", until="2026-03-11"))) == 1
    assert names_on(get(browser, since="2026-03-10", until="2026-03-10")) == []


def test_another_users_cases_are_found_by_no_filter(
    browser: Client, clinician: User, outsider: User, model_version: ModelVersion
) -> None:
    make_study(outsider, model_version, JobStatus.DONE, patient_id="P-theirs")
    for query in ({}, {"search": "theirs"}, {"patient_id": "P-theirs"}, {"label": "PNEUMONIA"}, {"status": "done"}):
        assert names_on(get(browser, **query)) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("label", "SICK"),
        ("indeterminate", "perhaps"),
        ("status", "processing"),
        ("model", "none_such"),
        ("since", "yesterday"),
        ("until", "2026-02-30"),
        ("search", "x" * 201),
        ("search", "\0"),
        ("patient_id", "x" * 65),
    ],
)
def test_a_filter_that_makes_no_sense_is_answered_with_400_and_words(
    browser: Client, cases: None, name: str, value: str
) -> None:
    response = get(browser, **{name: value})
    assert response.status_code == 400
    assert 'class="invalid-feedback d-block" role="alert"' in response.content.decode()
    assert names_on(response) == []


@pytest.mark.parametrize("apart", [timedelta(seconds=1), timedelta(0)], ids=["one by one", "all at the same instant"])
def test_the_pages_hold_each_case_once(
    browser: Client, clinician: User, model_version: ModelVersion, apart: timedelta
) -> None:
    count = 3 * PAGE_SIZE + 2
    add_many(clinician, model_version, count, apart=apart)
    pages = pages_from(browser, get(browser))
    assert [len(page) for page in pages] == [PAGE_SIZE] * 3 + [2]
    assert sorted(name for page in pages for name in page) == [f"case-{number:03}.png" for number in range(count)]


def test_the_pages_run_from_new_to_old(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    add_many(clinician, model_version, PAGE_SIZE + 5)
    names = [name for page in pages_from(browser, get(browser)) for name in page]
    assert names == sorted(names, reverse=True)


def test_a_last_page_that_is_just_full_leads_no_further(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    add_many(clinician, model_version, PAGE_SIZE)
    assert next_of(get(browser)) is None


def test_a_case_that_comes_in_meanwhile_shifts_no_page(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    study = add_many(clinician, model_version, PAGE_SIZE + 3)
    first = get(browser)
    make_job(study, model_version, filename="late.png")
    assert pages_from(browser, first)[1] == ["case-002.png", "case-001.png", "case-000.png"]


def test_the_filter_stays_from_page_to_page(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    add_many(clinician, model_version, 2 * PAGE_SIZE + 1)
    make_study(clinician, model_version, JobStatus.DONE)
    pages = pages_from(browser, get(browser, status="queued", search="case"))
    assert len(pages) == 3
    assert all(name.startswith("case-") for page in pages for name in page)


def test_the_export_takes_the_filter_along_and_not_the_page(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    add_many(clinician, model_version, PAGE_SIZE + 1)
    second = browser.get(reverse("history") + str(next_of(get(browser, search="case"))))
    page = unescape(second.content.decode())
    [query] = re.findall(rf'href="{reverse("history_csv")}\?(find=[^"&]+)"', page)
    assert opened_query(clinician.pk, QueryDict(query)).dict() == {"search": "case"}


@pytest.mark.parametrize(
    "tampered",
    [
        "%",
        "abc",
        "é",
        "\0",
        cursor(" "),
        cursor("2026-03-10T12:00:00+00:00"),
        cursor("yesterday 6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
        cursor("2026-03-10T12:00:00+00:00 not-an-id"),
        cursor("2026-03-10T12:00:00+00:00 6f9619ff-8b86-d011-b42d-00cf4fc964ff and-more"),
        cursor("2026-03-10T12:00:00 6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
        cursor("2026-03-10 6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
        base64.urlsafe_b64encode(b"\xff\xfe \xff").decode(),
    ],
    ids=ascii,
)
def test_a_tampered_cursor_is_answered_with_400_and_words(browser: Client, cases: None, tampered: str) -> None:
    response = get(browser, after=tampered)
    assert response.status_code == 400
    assert "This page's address is not valid. Start again from the first page." in unescape(response.content.decode())
    assert names_on(response) == []


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_cursor_at_the_end_of_time_is_no_fault_of_the_server(browser: Client, cases: None, moment: str) -> None:
    assert get(browser, after=cursor(f"{moment} 6f9619ff-8b86-d011-b42d-00cf4fc964ff")).status_code in (200, 400)


def test_a_cursor_opens_nothing_of_another_user(
    browser: Client, clinician: User, outsider: User, model_version: ModelVersion
) -> None:
    add_many(outsider, model_version, PAGE_SIZE + 5)
    theirs = history_page(outsider, HistoryFilter()).next_cursor
    assert names_on(get(browser, after=theirs)) == []


def test_more_cases_take_no_more_queries(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    counts = []
    for _ in range(2):
        make_study(clinician, model_version, *[JobStatus.DONE, JobStatus.QUEUED] * 4)
        counts.append(len(queries_of(lambda: get(browser))))
    assert counts[0] == counts[1]


def test_a_page_far_down_costs_its_places_and_its_readings_and_skips_nothing(
    clinician: User, model_version: ModelVersion
) -> None:
    add_many(clinician, model_version, 2 * PAGE_SIZE + 1)
    second = history_page(clinician, HistoryFilter(), history_page(clinician, HistoryFilter()).next_cursor)
    queries = queries_of(lambda: history_page(clinician, HistoryFilter(), second.next_cursor))
    assert len(queries) == 4  # each of the two looks anew whose readings are in sight
    assert not [sql for sql in queries if "OFFSET" in sql]


def test_an_empty_history_invites_to_send(browser: Client) -> None:
    page = get(browser).content.decode()
    assert "No cases yet." in page
    assert f'href="{reverse("send")}"' in page


def test_a_search_without_a_find_says_how_to_go_on(browser: Client, cases: None) -> None:
    page = get(browser, search="nobody").content.decode()
    assert "No case matches." in page
    assert "show all cases" in page


def test_the_filter_offers_every_model_that_was_ever_registered(browser: Client, cases: None) -> None:
    page = get(browser).content.decode()
    assert re.findall(r'<option value="([a-z0-9_]+)"[^>]*>\1</option>', page) == ["densenet121", "mobilenet_v2"]


def test_an_unsure_answer_is_told_as_such_with_what_the_threshold_says(browser: Client, cases: None) -> None:
    page = " ".join(unescape(get(browser, search="b.png").content.decode()).split())
    assert "Cannot say</span>" in page
    assert "Normal</span>" not in page.replace("by the threshold: Normal</span>", "")
    assert "by the threshold: Normal" in page


def test_an_answer_behind_an_overridden_refusal_says_so_in_the_list_too(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    study = make_study(clinician, model_version)
    make_result(
        make_job(study, model_version, JobStatus.RUNNING),
        override_code="not_frontal",
        override_reason="It is AP",
        override_by="clinician",
    )
    Job.objects.update(status=JobStatus.DONE, lease_until=None)
    assert "refusal overridden" in get(browser).content.decode()


def test_the_history_is_never_kept_by_a_browser(browser: Client) -> None:
    assert "no-store" in get(browser)["Cache-Control"]


def test_nobody_at_all_has_no_history(clinician: User, model_version: ModelVersion) -> None:
    make_study(clinician, model_version, JobStatus.DONE)
    clinician.is_active = False
    assert not find_jobs(clinician, HistoryFilter()).exists()
