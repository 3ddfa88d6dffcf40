"""The REST API: its contract, key by key."""

import json
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from diagnoses.models import Image, Job, ModelVersion, RejectedFile, Study
from diagnoses.selectors.originals import read_original
from diagnoses.services.jobs import claim_jobs
from diagnoses.services.patients import patient_for
from diagnoses.states import JobStatus
from tests.conftest import api_of
from tests.diagnoses.claiming import complete_job, refuse_job
from tests.diagnoses.conftest import Doorbell
from tests.diagnoses.factory import (
    PICTURE,
    PICTURE_SHA256,
    make_job,
    make_study,
    outcome,
    queries_of,
    stored_files,
)
from tests.diagnoses.sending import STUDIES, send, study_of, upload

pytestmark = pytest.mark.usefixtures("model_version")

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def listed(api: APIClient, **query: str) -> list[str]:
    """The patients of the studies on the first page."""
    said = {name: query.pop(name) for name in ("search", "patient_id") if name in query}
    if said:
        query["find"] = api.post(reverse("api_searches"), said).json()["find"]
    response = api.get(STUDIES, query)
    assert response.status_code == 200
    return [study["patient_id"] for study in response.json()["results"]]


def test_a_sent_study_is_answered_file_by_file(api: APIClient) -> None:
    response = send(api, upload("1.png"), upload("2.txt", b"Dear colleague"), upload("3.png"))
    assert response.status_code == 202
    first, third = Image.objects.order_by("position")
    assert response.json() == {
        "id": str(Study.objects.get().pk),
        "images": [
            {"id": str(first.pk), "filename": "1.png", "status": "queued", "error": None},
            {
                "id": None,
                "filename": "2.txt",
                "status": "refused",
                "error": {"code": "unsupported_type", "message": RejectedFile.objects.get().message},
            },
            {"id": str(third.pk), "filename": "3.png", "status": "queued", "error": None},
        ],
    }


def test_what_is_said_of_the_patient_is_kept(api: APIClient) -> None:
    said = {
        "patient_id": "P-1",
        "patient_sex": "F",
        "patient_birth_date": "2020-02-29",
        "accession_number": "A-1",
        "clinical_note": "Sốt cao",
    }
    answer = study_of(api, send(api, upload(), **said).json()["id"])
    assert {name: answer[name] for name in said} == said


def test_all_that_may_be_said_may_be_left_out_or_empty(api: APIClient) -> None:
    names = ["patient_id", "patient_sex", "patient_birth_date", "accession_number", "clinical_note"]
    for fields in ({}, dict.fromkeys(names, "")):
        answer = study_of(api, send(api, upload(), **fields).json()["id"])
        assert [answer[name] for name in names] == ["", "", None, "", ""]


def test_the_bytes_arrive_unchanged(api: APIClient) -> None:
    send(api, upload())
    assert read_original(Image.objects.get()) == PICTURE


def test_sending_rings_once(
    api: APIClient, doorbell: Doorbell, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        send(api, upload(), upload())
    assert doorbell.rings() == 1


def test_where_no_file_is_usable_the_answer_is_400_in_the_same_shape(api: APIClient) -> None:
    response = send(api, upload("1.txt", b"Dear colleague"), upload("2.png", b""))
    assert response.status_code == 400
    answer = response.json()
    assert answer["id"] is None
    assert [(image["id"], image["status"]) for image in answer["images"]] == [(None, "refused")] * 2
    assert [image["error"]["code"] for image in answer["images"]] == ["unsupported_type", "empty_file"]
    assert all(image["error"]["message"] for image in answer["images"])
    assert not Study.objects.exists()
    assert stored_files() == []


def test_no_file_at_all_is_400_in_the_same_shape(api: APIClient) -> None:
    response = api.post(STUDIES, {"patient_id": "P-1"}, format="multipart")
    assert response.status_code == 400
    answer = response.json()
    assert (answer["id"], answer["images"]) == (None, [])
    assert answer["detail"].startswith("No file was sent.")


@pytest.mark.parametrize("count", [3, 4, 10])
def test_too_many_files_are_400_in_the_same_shape(api: APIClient, settings: LazySettings, count: int) -> None:
    settings.CXR_MAX_FILES = 2
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 3
    response = send(api, *[upload() for _ in range(count)])
    assert response.status_code == 400
    assert response.json()["id"] is None
    assert response.json()["images"] == []
    assert "2" in response.json()["detail"]
    assert not Study.objects.exists()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("patient_id", "x" * 65, "no more than 64 characters"),
        ("patient_id", "P\0", "Null characters"),
        ("patient_sex", "Q", "Give F, M or O"),
        ("patient_birth_date", "yesterday", "wrong format"),
        ("patient_birth_date", "2999-01-01", "lies in the future"),
        ("patient_birth_date", "1899-12-31", "lies before 1900"),
        ("accession_number", "x" * 65, "no more than 64 characters"),
        ("clinical_note", "x" * 4001, "no more than 4000 characters"),
        ("files", "not a file", "not a file"),
    ],
)
def test_a_wrong_field_is_400_by_its_name(api: APIClient, name: str, value: str, words: str) -> None:
    fields = {"files": upload(), name: value}
    response = api.post(STUDIES, fields, format="multipart")
    assert response.status_code == 400
    assert list(response.json()) == [name]
    assert words in json.dumps(response.json()[name])
    assert not Study.objects.exists()
    assert stored_files() == []


def test_a_body_of_another_kind_is_refused(api: APIClient) -> None:
    assert api.post(STUDIES, {"patient_id": "P-1"}, format="json").status_code == 415


def test_the_sender_comes_from_the_token_and_never_from_the_body(api: APIClient, outsider: User) -> None:
    for name in ("submitted_by", "submitted_by_id", "user", "owner"):
        send(api, upload(), **{name: str(outsider.pk)})
    assert set(Study.objects.values_list("submitted_by__username", flat=True)) == {"clinician"}


def test_an_auditor_may_not_send(auditor: User) -> None:
    response = send(api_of(auditor), upload())
    assert response.status_code == 403
    assert "may not send" in response.json()["detail"]
    assert not Study.objects.exists()


def test_a_wrong_token_opens_nothing() -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Token 0123456789abcdef0123456789abcdef01234567")
    assert client.get(STUDIES).status_code == 401
    assert send(client, upload()).status_code == 401
    assert not Study.objects.exists()


@pytest.mark.parametrize("rest", ["studies/no-number/", "nothing/"])
def test_an_address_that_is_none_is_told_as_the_api_tells_everything(api: APIClient, rest: str) -> None:
    answer = api.get(f"/api/v1/{rest}")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    assert list(answer.json()) == ["detail"]
    assert "text/html" in Client().get("/nothing/")["Content-Type"]


def test_a_queued_image_has_no_result_yet(api: APIClient) -> None:
    answer = study_of(api, send(api, upload("1.png")).json()["id"])
    job = Job.objects.get()
    reading = {
        "id": str(job.pk),
        "created_at": job.created_at.isoformat(),
        "model": "mobilenet_v2",
        "model_version": "1.0.0",
        "status": "queued",
        "error": None,
    }
    assert answer["images"] == [
        {"id": str(job.image_id), "filename": "1.png", "status": "queued", "error": None, "readings": [reading]}
    ]


def test_a_study_says_only_what_the_contract_says(api: APIClient, done_study: Study) -> None:
    assert list(study_of(api, done_study.pk)) == [
        "id",
        "created_at",
        "patient_id",
        "patient_sex",
        "patient_birth_date",
        "accession_number",
        "clinical_note",
        "urgent",
        "images",
        "queue",
    ]


def test_a_done_image_has_its_result_with_where_it_came_from(api: APIClient, model_version: ModelVersion) -> None:
    study_id = send(api, upload()).json()["id"]
    [claim] = claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1)
    complete_job(claim=claim, outcome=outcome())
    [image] = study_of(api, study_id)["images"]
    assert (image["status"], image["error"]) == ("done", None)
    assert image["result"] == {
        "label": "PNEUMONIA",
        "indeterminate": False,
        "indeterminate_reason": "",
        "probability": 0.9312,
        "score": 2.5,
        "threshold": model_version.threshold,
        "band": {"low": 0.4, "high": 0.6},
        "warnings": [],
        "override": None,
        "model": "mobilenet_v2",
        "model_version": "1.0.0",
        "weights_sha256": model_version.weights_sha256,
        "image_sha256": PICTURE_SHA256,
        "engine": "openvino",
        "heatmap_url": f"http://testserver/api/v1/jobs/{claim.job_id}/heatmap/",
        "timings_ms": {"decode": 1.5, "engine": 7.25},
    }


def test_a_refused_image_says_why(api: APIClient, model_version: ModelVersion) -> None:
    study_id = send(api, upload()).json()["id"]
    [claim] = claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1)
    refuse_job(claim=claim, code="damaged", message="Export it again.")
    [image] = study_of(api, study_id)["images"]
    assert (image["status"], image["error"]) == ("refused", {"code": "damaged", "message": "Export it again."})
    assert "result" not in image


@pytest.mark.parametrize("status", JobStatus)
def test_each_state_is_told_by_its_name(
    api: APIClient, clinician: User, model_version: ModelVersion, status: JobStatus
) -> None:
    [image] = study_of(api, make_study(clinician, model_version, status).pk)["images"]
    assert image["status"] == status
    assert (image["error"] is not None) is (status in (JobStatus.REFUSED, JobStatus.FAILED))
    assert ("result" in image) is (status is JobStatus.DONE)


def test_the_heatmap_is_where_the_result_says(api: APIClient, done_study: Study) -> None:
    url = study_of(api, done_study.pk)["images"][0]["result"]["heatmap_url"]
    for query in ({}, {"palette": "jet"}, {"palette": "viridis"}):
        response = api.get(url, query)
        assert response["Content-Type"] == "image/png"
        shown = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_UNCHANGED)
        assert shown is not None
        assert shown.shape[2] == 4
    assert api.get(url, {"palette": "hot"}).status_code == 404


def test_the_picture_is_a_jpeg_locked_up_like_on_the_page(api: APIClient, done_study: Study) -> None:
    response = api.get(reverse("api_picture", args=[Image.objects.get().pk]))
    assert response["Content-Type"] == "image/jpeg"
    assert response.content.startswith(b"\xff\xd8\xff")
    assert response["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"


def test_the_list_holds_ones_own_studies_newest_first(
    api: APIClient, clinician: User, outsider: User, model_version: ModelVersion
) -> None:
    for day, name in enumerate(["P-1", "P-2", "P-3"]):
        make_study(clinician, model_version, JobStatus.DONE, patient_id=name, created_at=NOON + timedelta(days=day))
    make_study(outsider, model_version, JobStatus.DONE, patient_id="P-theirs")
    assert listed(api) == ["P-3", "P-2", "P-1"]


def test_a_listed_study_says_what_its_own_address_says(api: APIClient, done_study: Study) -> None:
    [study] = api.get(STUDIES).json()["results"]
    assert study | {"queue": None} == study_of(api, done_study.pk)


@pytest.mark.parametrize("apart", [timedelta(seconds=1), timedelta(0)], ids=["one by one", "all at the same instant"])
def test_the_pages_of_the_list_hold_each_study_once(
    api: APIClient, clinician: User, model_version: ModelVersion, apart: timedelta
) -> None:
    studies = Study.objects.bulk_create(
        Study(
            submitted_by=clinician,
            subject=patient_for(""),
            patient_id=f"P-{number:03}",
            created_at=NOON + number * apart,
        )
        for number in range(60)
    )
    sizes, seen, url = [], [], STUDIES
    while url:
        page = api.get(url).json()
        sizes.append(len(page["results"]))
        seen += [study["id"] for study in page["results"]]
        url = page["next"]
    assert sizes == [25, 25, 10]
    assert sorted(seen) == sorted(str(study.pk) for study in studies)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["P-2", "P-1"]),
        ({"search": "p-1"}, ["P-1"]),
        ({"label": "PNEUMONIA"}, ["P-1"]),
        ({"label": "NORMAL"}, []),
        ({"status": "failed"}, ["P-2"]),
        ({"patient_id": "P-2"}, ["P-2"]),
        ({"patient_id": "P"}, []),
        ({"model": "mobilenet_v2"}, ["P-2", "P-1"]),
        ({"since": "2026-03-11"}, ["P-2"]),
        ({"until": "2026-03-10"}, ["P-1"]),
        ({"status": "done", "since": "2026-03-11"}, []),
    ],
    ids=str,
)
def test_the_list_is_filtered_as_the_history_is(
    api: APIClient, clinician: User, model_version: ModelVersion, query: dict[str, str], found: list[str]
) -> None:
    for day, (name, status) in enumerate([("P-1", JobStatus.DONE), ("P-2", JobStatus.FAILED)]):
        at = NOON + timedelta(days=day)
        study = make_study(clinician, model_version, patient_id=name, created_at=at)
        make_job(study, model_version, status, created_at=at)
    assert listed(api, **query) == found


@pytest.mark.parametrize(
    ("name", "value"),
    [("label", "SICK"), ("status", "processing"), ("model", "none_such"), ("since", "yesterday"), ("search", "\0")],
)
def test_a_filter_that_makes_no_sense_is_400_by_its_name(api: APIClient, name: str, value: str) -> None:
    response = api.get(STUDIES, {name: value})
    assert response.status_code == 400
    assert list(response.json()) == [name]


@pytest.mark.parametrize("cursor", ["abc", "cD15ZXN0ZXJkYXk=", "cD0yMDI2LTAzLTEw", "bz0tMQ==", "cD0A"])
def test_a_tampered_cursor_is_the_callers_fault(api: APIClient, done_study: Study, cursor: str) -> None:
    assert api.get(STUDIES, {"cursor": cursor}).status_code in (400, 404)


def test_more_studies_take_no_more_queries(api: APIClient, clinician: User, model_version: ModelVersion) -> None:
    counts = []
    for _ in range(2):
        for _ in range(4):
            make_study(clinician, model_version, JobStatus.DONE, JobStatus.REFUSED)
        counts.append(len(queries_of(lambda: api.get(STUDIES))))
    assert counts[0] == counts[1]


def test_a_picture_of_another_user_sent_again_shows_nothing_of_theirs(outsider: User, done_study: Study) -> None:
    theirs = api_of(outsider)
    study = study_of(theirs, send(theirs, upload()).json()["id"])
    assert study["patient_id"] == ""
    [image] = study["images"]
    assert (image["status"], "result" in image) == ("queued", False)
    assert Job.objects.count() == 2


def test_an_answer_with_patients_in_it_is_never_kept_on_the_way(api: APIClient, done_study: Study) -> None:
    image, job = Image.objects.get(), Job.objects.get()
    for url in (
        STUDIES,
        f"{STUDIES}{done_study.pk}/",
        reverse("api_picture", args=[image.pk]),
        reverse("api_heatmap", args=[job.pk]),
    ):
        assert "no-store" in api.get(url).get("Cache-Control", "")


def test_an_error_is_in_json_too(api: APIClient) -> None:
    response = api.get(f"{STUDIES}6f9619ff-8b86-d011-b42d-00cf4fc964ff/")
    assert (response.status_code, response["Content-Type"]) == (404, "application/json")
    assert Client().get(STUDIES)["Content-Type"] == "application/json"
