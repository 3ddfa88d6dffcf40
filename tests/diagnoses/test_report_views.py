"""The report's addresses: page, PDF and JSON say the same, in the language asked for, each time on record."""

from dataclasses import fields, is_dataclass
from html import unescape
from typing import Any, get_args, get_type_hints

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from rest_framework.serializers import Serializer
from rest_framework.test import APIClient

from diagnoses.api.reports import ReportSerializer
from diagnoses.models import AuditEvent, Job, ModelVersion, Profile, Study
from diagnoses.models.audit import AuditAction
from diagnoses.reports.contents import Report, as_data
from diagnoses.states import JobStatus
from tests.diagnoses.factory import broken_audit, last_event, make_study
from tests.diagnoses.reports import NAME, report_to, sign
from tests.pdf import Pdf

PAGES = ("report", "report_pdf", "report_json")


def url_of(name: str, study: Study) -> str:
    return reverse(name, args=[study.pk])


def page_of(browser: Client, study: Study, **query: str) -> str:
    response = browser.get(url_of("report", study), query)
    assert response.status_code == 200
    return " ".join(unescape(response.content.decode()).split())


def without_time(data: dict[str, Any]) -> dict[str, Any]:
    assert data.pop("made_at")
    return data


def test_json_of_page_and_api_is_what_the_report_says(
    browser: Client, api: APIClient, clinician: User, done_study: Study, done: Job
) -> None:
    sign(done.image, clinician, text="Đông đặc.")
    expected = without_time(as_data(report_to(clinician, done_study)))
    assert expected["images"][0]["readings"][0]["text"] == "Đông đặc."
    assert without_time(browser.get(url_of("report_json", done_study)).json()) == expected
    assert without_time(api.get(url_of("api_report", done_study)).json()) == expected


def test_the_schema_promises_what_the_report_has() -> None:
    def shape(part: Any) -> Any:
        """Names of fields, down to those that are no shapes themselves."""
        if is_dataclass(part):
            hints = get_type_hints(part)
            return {each.name: shape(_inner(hints[each.name])) for each in fields(part)}
        part = getattr(part, "child", part)
        if isinstance(part, Serializer):
            return {name: shape(field) for name, field in part.fields.items()}
        return None

    assert shape(ReportSerializer()) == shape(Report)


def _inner(hint: Any) -> Any:
    """The class within a list, or beside None."""
    return next((inner for inner in get_args(hint) if is_dataclass(inner)), hint)


def test_page_and_paper_say_the_same(browser: Client, clinician: User, done_study: Study, done: Job) -> None:
    sign(done.image, clinician, text="Đông đặc.")
    page = page_of(browser, done_study)
    paper = Pdf(browser.get(url_of("report_pdf", done_study)).content).text
    for words in ("93.1 %", "P-0001", "A-77", "No interval is given", "Đông đặc.", NAME, "It was never trained."):
        assert words in page
        assert words in paper
    assert reverse("heatmap", args=[done.pk]) in page


def test_a_document_may_be_in_another_language_than_the_page(browser: Client, done_study: Study) -> None:
    page = page_of(browser, done_study, language="vi")
    assert '<html lang="en"' in page
    assert '<article class="report" lang="vi"' in page
    assert "93,1 %" in page
    assert f'href="{url_of("report_pdf", done_study)}?language=vi"' in page


@pytest.mark.parametrize("name", [*PAGES, "api_report", "api_report_pdf"])
def test_an_unknown_language_is_refused_and_leaves_no_record(
    browser: Client, api: APIClient, done_study: Study, name: str
) -> None:
    client = api if name.startswith("api_") else browser
    assert client.get(url_of(name, done_study), {"language": "fr"}).status_code == 404
    assert not AuditEvent.objects.filter(action=AuditAction.REPORT_VIEWED).exists()


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("report", "page"),
        ("report_pdf", "pdf"),
        ("report_json", "json"),
        ("api_report", "json"),
        ("api_report_pdf", "pdf"),
    ],
)
def test_each_look_is_on_record_with_form_and_language(
    browser: Client, api: APIClient, done_study: Study, name: str, how: str
) -> None:
    client = api if name.startswith("api_") else browser
    assert client.get(url_of(name, done_study), {"language": "vi"}).status_code == 200
    event = last_event(AuditAction.REPORT_VIEWED)
    assert (event.actor_name, event.object_type, event.object_id) == ("clinician", "study", str(done_study.pk))
    assert event.detail == {"format": how, "language": "vi"}


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_shown_where_it_cannot_be_put_on_record(browser: Client, done_study: Study, name: str) -> None:
    browser.raise_request_exception = False
    with broken_audit():
        response = browser.get(url_of(name, done_study))
    assert response.status_code == 500
    assert b"P-0001" not in response.content


@pytest.mark.parametrize("name", ["report_pdf", "report_json", "api_report_pdf"])
def test_a_file_is_private_and_its_name_tells_nothing_of_the_patient(
    browser: Client, api: APIClient, done_study: Study, name: str
) -> None:
    response = (api if name.startswith("api_") else browser).get(url_of(name, done_study))
    kind = "json" if name == "report_json" else "pdf"
    assert response["Content-Disposition"].endswith(f'filename="report-{done_study.pk}-en.{kind}"')
    assert {"private", "no-store"} <= set(response["Cache-Control"].replace(" ", "").split(","))


def test_a_page_keeps_markup_that_was_typed_as_text(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    study = make_study(clinician, model_version, JobStatus.DONE, clinical_note="<script>alert(1)</script>")
    content = browser.get(url_of("report", study)).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in content


def test_a_hidden_answer_is_on_no_page(browser: Client, clinician: User, done_study: Study, done: Job) -> None:
    Profile.objects.create(user=clinician, reads_first=True)
    page = page_of(browser, done_study)
    assert "93.1" not in page
    assert reverse("heatmap", args=[done.pk]) not in page
    assert "Sign your own reading of this image" in page


@pytest.mark.parametrize("status", list(JobStatus))
def test_a_study_in_any_state_has_a_report(
    browser: Client, clinician: User, model_version: ModelVersion, status: JobStatus
) -> None:
    study = make_study(clinician, model_version, status)
    for name in PAGES:
        assert browser.get(url_of(name, study)).status_code == 200


def test_a_studys_page_leads_to_its_report(browser: Client, done_study: Study) -> None:
    assert f'href="{url_of("report", done_study)}"' in browser.get(url_of("study", done_study)).content.decode()
