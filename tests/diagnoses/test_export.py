"""The history as a file for a spreadsheet."""

import csv
from datetime import UTC, date, datetime
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import AsyncClient, Client
from django.urls import reverse

from diagnoses.export import COLUMNS
from diagnoses.models import AuditEvent, Image, Job, ModelVersion, Profile
from diagnoses.models.audit import AuditAction
from diagnoses.states import JobStatus
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import broken_audit, last_event, make_job, make_reading, make_result, make_study

FORMULAS = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\tx", "\rx"]


def export(browser: Client, **query: str) -> tuple[Any, str]:
    """The response, and all of its text. It is streamed asynchronously, so it is asked for in that way, too."""

    async def ask() -> tuple[Any, str]:
        client = AsyncClient(raise_request_exception=False)
        client.cookies = browser.cookies
        response: Any = await client.get(reverse("history_csv"), query, follow=True)
        if not response.streaming:
            return response, response.content.decode()
        return response, b"".join([part async for part in response]).decode()

    return async_to_sync(ask)()


def rows_of(browser: Client, **query: str) -> list[dict[str, str]]:
    response, text = export(browser, **query)
    assert response.status_code == 200
    return list(csv.DictReader(StringIO(text.removeprefix("\ufeff"), newline="")))


def test_a_row_holds_all_that_is_known_of_a_reading(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    study = make_study(
        clinician,
        model_version,
        patient_id="P-1",
        patient_sex="F",
        patient_birth_date=date(2020, 2, 29),
        accession_number="A-1",
    )
    sent_at = datetime(2026, 3, 10, 12, tzinfo=UTC)
    make_job(study, model_version, JobStatus.DONE, filename="phổi.png", created_at=sent_at)
    [row] = rows_of(browser)
    assert row == {
        "sent_at": "2026-03-10T19:00:00+07:00",
        "study": str(study.pk),
        "image": str(Image.objects.get().pk),
        "filename": "phổi.png",
        "patient_id": "P-1",
        "patient_sex": "F",
        "patient_birth_date": "2020-02-29",
        "accession_number": "A-1",
        "status": "done",
        "label": "PNEUMONIA",
        "indeterminate": "",
        "probability": "0.9312",
        "threshold": f"{model_version.threshold:.4f}",
        "score": "2.5000",
        "warnings": "",
        "override": "",
        "override_by": "",
        "override_reason": "",
        "model": "mobilenet_v2",
        "model_version": "1.0.0",
        "error": "",
        "finding": "",
        "agreement": "",
        "reader": "",
        "signed_at": "",
    }


def test_a_row_says_what_a_clinician_signed_last(browser: Client, clinician: User, done: Job) -> None:
    first = make_reading(done.image, clinician, "PNEUMONIA", "agree")
    last = make_reading(done.image, clinician, "NORMAL", "disagree", replaces=first)
    [row] = rows_of(browser)
    assert [row[name] for name in ("finding", "agreement", "reader")] == ["NORMAL", "disagree", "clinician"]
    assert datetime.fromisoformat(row["signed_at"]) == last.signed_at.replace(microsecond=0)


def test_an_answer_waits_until_who_reads_first_has_read(browser: Client, clinician: User, done: Job) -> None:
    Profile.objects.create(user=clinician, reads_first=True)
    [row] = rows_of(browser)
    assert row["label"] == "hidden"
    assert {row[name] for name in ("probability", "score", "warnings", "finding")} == {""}
    make_reading(done.image, clinician)
    assert rows_of(browser)[0]["label"] == "PNEUMONIA"


def test_a_reading_without_an_answer_has_empty_cells_and_its_error(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    make_study(clinician, model_version, JobStatus.FAILED)
    [row] = rows_of(browser)
    assert (row["status"], row["error"]) == ("failed", "internal_error")
    assert {row[name] for name in ("label", "probability", "threshold", "score")} == {""}


def test_a_row_says_where_the_answer_is_unsure_warned_of_or_was_refused_at_first(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    study = make_study(clinician, model_version)
    overridden: dict[str, Any] = {
        "override_code": "not_frontal",
        "override_by": "clinician",
        "override_reason": "=It is AP",
    }
    job = make_job(study, model_version, JobStatus.RUNNING, **overridden, override_at=Now())
    make_result(job, indeterminate_reason="band", warnings=["not_frontal", "outside_age"], **overridden)
    Job.objects.update(status=JobStatus.DONE, lease_until=None)
    [row] = rows_of(browser)
    assert (row["label"], row["indeterminate"], row["warnings"]) == ("PNEUMONIA", "band", "not_frontal outside_age")
    assert (row["override"], row["override_by"]) == ("not_frontal", "clinician")
    assert row["override_reason"] == "'=It is AP"


def test_the_first_line_names_the_columns_and_tells_excel_the_encoding(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    _, text = export(browser)
    assert text == "\ufeff" + ",".join(COLUMNS) + "\r\n"


def test_the_file_has_a_name_and_is_never_kept_by_a_browser(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    response, _ = export(browser)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="history-20')
    assert "no-store" in response["Cache-Control"]


def test_only_what_matches_the_filter_is_exported(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    make_study(clinician, model_version, JobStatus.DONE, patient_id="P-1")
    make_study(clinician, model_version, JobStatus.DONE, patient_id="P-2")
    assert [row["patient_id"] for row in rows_of(browser, patient_id="P-2")] == ["P-2"]


def test_only_ones_own_readings_are_exported(clinician: User, outsider: User, model_version: ModelVersion) -> None:
    make_study(clinician, model_version, JobStatus.DONE)
    assert rows_of(browser_of(outsider)) == []


def test_all_readings_are_exported_however_many(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    study = make_study(clinician, model_version)
    first = make_job(study, model_version).image
    images = [
        Image(
            study=study,
            position=position,
            filename=f"{position}.png",
            kind="png",
            byte_size=1,
            sha256=first.sha256,
            width=160,
            height=120,
            stored_name=f"originals/{position}",
        )
        for position in range(1, 1201)
    ]
    Job.objects.bulk_create(
        Job(image=image, model_version=model_version) for image in Image.objects.bulk_create(images)
    )
    rows = rows_of(browser)
    assert len(rows) == len({row["image"] for row in rows}) == 1201


@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("column", ["patient_id", "accession_number", "filename"])
def test_a_cell_that_starts_like_a_formula_is_made_harmless(
    browser: Client, clinician: User, model_version: ModelVersion, column: str, text: str
) -> None:
    details = {} if column == "filename" else {column: text}
    study = make_study(clinician, model_version, **details)
    make_job(study, model_version, filename=text if column == "filename" else "chest.png")
    [row] = rows_of(browser)
    assert row[column] == f"'{text}"


@pytest.mark.parametrize("text", ['say "ah", then breathe', "two\nlines", "semi;colon", "ünï, cödé"])
def test_a_cell_keeps_what_was_typed(browser: Client, clinician: User, model_version: ModelVersion, text: str) -> None:
    make_study(clinician, model_version, JobStatus.DONE, accession_number=text)
    assert rows_of(browser)[0]["accession_number"] == text


def test_an_export_is_on_record_with_its_filter(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    export(browser, patient_id="P-1", status="done")
    event = last_event(AuditAction.HISTORY_EXPORTED)
    assert (event.actor_name, event.actor_roles, event.address) == ("clinician", "clinician", "127.0.0.1")
    assert event.detail == {"filter": {"patient_id": "yes", "status": "done"}}


@pytest.mark.usefixtures("done_study")
def test_an_export_that_cannot_be_put_on_record_gives_nothing(browser: Client) -> None:
    with broken_audit():
        response, text = export(browser)
    assert response.status_code == 500
    assert "P-0001" not in text
    assert "P-0001" in export(browser)[1]


def test_a_filter_that_makes_no_sense_is_answered_with_400_and_words(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    response, text = export(browser, status="processing")
    assert response.status_code == 400
    assert text.startswith("The filter is not valid.")
    assert not AuditEvent.objects.filter(action=AuditAction.HISTORY_EXPORTED).exists()
