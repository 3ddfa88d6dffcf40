"""The page of exports, and the file itself, which nobody but its owner gets."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from asgiref.sync import async_to_sync
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.db.models.functions import Now
from django.test import AsyncClient, Client
from django.urls import reverse

from diagnoses import storage
from diagnoses.models import AuditEvent, Export, Job, Profile
from diagnoses.models.audit import AuditAction
from diagnoses.models.export import ExportFault, ExportStatus
from diagnoses.roles import Role
from diagnoses.services.exporting import MOST_AT_ONCE
from tests.conftest import make_user
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import broken_audit, last_event, make_export


def fetched(browser: Client, export: Export) -> tuple[Any, bytes]:
    """The response, and all of its bytes. They are streamed asynchronously, so they are asked for in that way, too."""

    async def ask() -> tuple[Any, bytes]:
        client = AsyncClient(raise_request_exception=False)
        client.cookies = browser.cookies
        response: Any = await client.get(reverse("export_file", args=[export.pk]))
        if not response.streaming:
            return response, response.content
        return response, b"".join([part async for part in response])

    return async_to_sync(ask)()


def page_of(browser: Client, name: str = "exports") -> str:
    return " ".join(browser.get(reverse(name)).content.decode().split())


def test_a_wish_is_taken_with_the_historys_filter(browser: Client, done: Job) -> None:
    response = browser.post(reverse("exports"), {"query": "since=2020-01-01&junk=1&label=PNEUMONIA&sex="})
    assert (response.status_code, response["Location"]) == (302, reverse("exports"))
    export = Export.objects.get()
    assert export.wanted == {"label": "PNEUMONIA", "since": "2020-01-01"}
    page = page_of(browser)
    assert "Answer: Pneumonia, From:" in page
    assert f'href="{reverse("history")}?label=PNEUMONIA&amp;since=2020-01-01"' in page


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("status=processing", "The filter is not valid."),
        ("since=2099-01-01", "there is nothing to pack"),
    ],
)
def test_a_wish_that_cannot_be_met_is_answered_with_words_and_the_way_back(
    browser: Client, done: Job, query: str, words: str
) -> None:
    response = browser.post(reverse("exports"), {"query": query})
    assert response.status_code == 400
    assert words in response.content.decode()
    assert f'href="{reverse("history")}?{query}"' in response.content.decode()
    assert not Export.objects.exists()


def test_who_reads_first_is_told_that_cases_are_not_exported_by_their_answer(
    browser: Client, clinician: User, done: Job
) -> None:
    Profile.objects.create(user=clinician, reads_first=True)
    response = browser.post(reverse("exports"), {"query": "label=PNEUMONIA"})
    assert response.status_code == 400
    assert "You read first, so cases cannot be looked for by the answer" in response.content.decode()
    assert not Export.objects.exists()


def test_more_than_may_be_is_said_with_its_number(browser: Client, done: Job, settings: LazySettings) -> None:
    settings.CXR_EXPORT_CASES = 0
    response = browser.post(reverse("exports"), {"query": ""})
    assert response.status_code == 400
    assert "More than 0 studies match. Narrow the filter" in response.content.decode()


def test_a_crowd_of_wishes_is_stopped(browser: Client, done: Job) -> None:
    answers = [browser.post(reverse("exports"), {"query": ""}).status_code for _ in range(4)]
    assert answers == [302, 302, 302, 429]


def test_the_file_is_its_owners_private_and_under_a_name_of_ours(browser: Client, clinician: User) -> None:
    export = make_export(clinician, b"x" * 700_000, query="patient_id=P-1")
    response, data = fetched(browser, export)
    assert data == b"x" * 700_000
    assert (response["Content-Type"], response["Content-Length"]) == ("application/zip", "700000")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]
    assert f"{export.pk}.zip" in response["Content-Disposition"]
    assert "P-1" not in response["Content-Disposition"]
    assert last_event(AuditAction.EXPORT_FETCHED).detail == {"filter": {"patient_id": "yes"}, "studies": 1}


def test_an_outsider_neither_sees_nor_fetches_nor_ends_another_users_export(
    clinician: User, outsider: User, auditor: User, administrator: User
) -> None:
    export = make_export(clinician, query=quote("patient_id=P-1"))
    for user in (outsider, auditor, administrator):
        client = browser_of(user)
        assert fetched(client, export)[0].status_code == 404
        for action in ("export_cancel", "export_retry"):
            assert client.post(reverse(action, args=[export.pk])).status_code == 404
        assert "P-1" not in page_of(client)
    assert Export.objects.filter(pk=export.pk).exists()
    assert not AuditEvent.objects.filter(action=AuditAction.EXPORT_FETCHED).exists()


def test_what_holds_the_whole_site_is_fetched_only_with_the_right_to_it(db: None) -> None:
    radiologist = make_user("radiologist", Role.RADIOLOGIST)
    export, own = make_export(radiologist, site_wide=True), make_export(radiologist)
    client = browser_of(radiologist)
    address = reverse("export_file", args=[export.pk])
    assert fetched(client, export)[0].status_code == 200
    assert address in page_of(client)
    radiologist.groups.set([Group.objects.get(name=Role.CLINICIAN)])
    assert fetched(client, export)[0].status_code == 404
    assert address not in page_of(client)
    assert fetched(client, own)[0].status_code == 200
    assert AuditEvent.objects.filter(action=AuditAction.EXPORT_FETCHED).count() == 2


@pytest.mark.parametrize("status", [ExportStatus.QUEUED, ExportStatus.RUNNING, ExportStatus.FAILED])
def test_what_is_not_ready_is_not_fetched(browser: Client, clinician: User, status: ExportStatus) -> None:
    assert fetched(browser, make_export(clinician, status=status))[0].status_code == 404


def test_a_file_that_is_gone_is_not_found(browser: Client, clinician: User) -> None:
    export = make_export(clinician)
    storage.remove(export.stored_name)
    assert fetched(browser, export)[0].status_code == 404


def test_a_file_whose_fetching_cannot_be_put_on_record_is_not_given(browser: Client, clinician: User) -> None:
    export = make_export(clinician, b"the cases")
    with broken_audit():
        response, data = fetched(browser, export)
    assert response.status_code == 500
    assert b"the cases" not in data


def test_an_empty_page_says_how_to_begin(browser: Client) -> None:
    page = page_of(browser)
    assert "Nothing has been exported." in page
    assert f'<a href="{reverse("history")}">the history</a>' in page


def test_a_page_with_one_in_progress_asks_again_by_itself_and_a_quiet_one_does_not(
    browser: Client, clinician: User
) -> None:
    export = make_export(clinician, status=ExportStatus.RUNNING, total=12, packed=5, ended_at=None)
    for name in ("exports", "export_list"):
        page = page_of(browser, name)
        assert f'hx-get="{reverse("export_list")}"' in page
        assert "5 of 12" in page
        assert "No reader is running at present" in page
    Export.objects.filter(pk=export.pk).update(status=ExportStatus.DONE, ended_at=Now())
    assert "hx-get" not in page_of(browser, "export_list")


def test_a_ready_one_says_until_when_it_is_kept(browser: Client, clinician: User, settings: LazySettings) -> None:
    settings.CXR_EXPORT_DAYS = 3
    export = make_export(clinician, ended_at=Now() - timedelta(days=1))
    page = page_of(browser)
    assert f'href="{reverse("export_file", args=[export.pk])}"' in page
    assert "kept until" in page
    assert "Each is kept for 3 days" in page


def test_a_failed_one_says_why_and_is_tried_again(browser: Client, clinician: User) -> None:
    export = make_export(clinician, status=ExportStatus.FAILED, error_code=ExportFault.TOO_LARGE)
    assert "The file would be too large. Narrow the filter" in page_of(browser)
    assert browser.post(reverse("export_retry", args=[export.pk])).status_code == 302
    export.refresh_from_db()
    assert (export.status, export.error_code) == ("queued", "")


def test_a_failed_one_waits_its_turn_where_enough_are_in_progress(browser: Client, clinician: User) -> None:
    export = make_export(clinician, status=ExportStatus.FAILED)
    for _ in range(MOST_AT_ONCE):
        make_export(clinician, status=ExportStatus.QUEUED)
    response = browser.post(reverse("export_retry", args=[export.pk]))
    assert response.status_code == 429
    assert "exports in progress already" in response.content.decode()


def test_one_that_is_no_longer_wanted_is_gone(browser: Client, clinician: User) -> None:
    export = make_export(clinician)
    browser.post(reverse("export_cancel", args=[export.pk]))
    assert not Export.objects.exists()
    with pytest.raises(FileNotFoundError):
        storage.read(export.stored_name)
