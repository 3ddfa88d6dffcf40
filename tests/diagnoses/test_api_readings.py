"""The API's part that asks for readings, tells how sure they are, and says what can read."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from diagnoses.models import Job, ModelVersion, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import WARNING_WORDS, Purpose
from diagnoses.models.registry import Standing
from diagnoses.roles import Role
from diagnoses.services.registry import report_worker
from diagnoses.states import JobStatus
from tests.conftest import api_of
from tests.diagnoses.conftest import Doorbell
from tests.diagnoses.factory import (
    PICTURE,
    last_event,
    make_job,
    make_job_of,
    make_model_version,
    make_result,
    make_study,
    queries_of,
    row,
    stored_files,
)

pytestmark = pytest.mark.usefixtures("model_version")

STUDIES, MODELS = "/api/v1/studies/", "/api/v1/models/"
REASON = "It is an AP view"


@pytest.fixture
def refused(clinician: User, model_version: ModelVersion) -> Job:
    return make_job(make_study(clinician, model_version), model_version, JobStatus.REFUSED, error_code="not_frontal")


def override(api: APIClient, job: Job, **body: Any) -> Any:
    return api.post(f"/api/v1/jobs/{job.pk}/override/", body)


def read_again(api: APIClient, job: Job, **body: Any) -> Any:
    return api.post(f"/api/v1/images/{job.image_id}/readings/", body)


def image_of(api: APIClient, job: Job) -> dict[str, Any]:
    [image] = api.get(f"{STUDIES}{job.image.study_id}/").json()["images"]
    return dict(image)


def send(api: APIClient, **fields: str) -> Any:
    return api.post(STUDIES, {"files": [SimpleUploadedFile("chest.png", PICTURE)], **fields}, format="multipart")


def take(codename: str) -> None:
    Group.objects.get(name=Role.CLINICIAN).permissions.remove(Permission.objects.get(codename=codename))


def test_an_unsure_result_keeps_its_label_and_says_why(
    api: APIClient, clinician: User, model_version: ModelVersion
) -> None:
    job = make_job(make_study(clinician, model_version), model_version, JobStatus.RUNNING)
    make_result(job, indeterminate_reason="unstable", probability=0.55, warnings=["outside_age", "of_a_newer_worker"])
    Job.objects.update(status=JobStatus.DONE, lease_until=None)
    result = image_of(api, job)["result"]
    assert (result["label"], result["indeterminate"], result["indeterminate_reason"]) == ("PNEUMONIA", True, "unstable")
    assert result["band"] == {"low": model_version.band_low, "high": model_version.band_high}
    assert result["warnings"] == [
        {"code": "outside_age", "message": WARNING_WORDS["outside_age"]},
        {"code": "of_a_newer_worker", "message": "of_a_newer_worker"},
    ]


def test_a_result_behind_an_overridden_refusal_says_who_overrode_what_and_why(
    api: APIClient, clinician: User, model_version: ModelVersion
) -> None:
    job = make_job(make_study(clinician, model_version), model_version, JobStatus.RUNNING)
    make_result(job, override_code="not_frontal", override_reason=REASON, override_by="clinician")
    Job.objects.update(status=JobStatus.DONE, lease_until=None)
    assert image_of(api, job)["result"]["override"] == {"code": "not_frontal", "reason": REASON, "by": "clinician"}


def test_all_readings_of_an_image_are_told_the_latest_first_and_a_shadows_is_not(
    api: APIClient, done: Job, xception: ModelVersion
) -> None:
    second = make_job_of(done.image, xception, JobStatus.FAILED, purpose=Purpose.REREAD)
    third = make_model_version("densenet121", "1.0.0")
    make_job_of(done.image, third, JobStatus.DONE, purpose=Purpose.SHADOW)
    image = image_of(api, done)
    assert (image["status"], "result" in image) == ("failed", False)
    assert [(reading["id"], reading["model"], reading["status"]) for reading in image["readings"]] == [
        (str(second.pk), "xception", "failed"),
        (str(done.pk), "mobilenet_v2", "done"),
    ]
    assert image["readings"][0]["error"]["code"] == "internal_error"
    assert image["readings"][1]["result"]["label"] == "PNEUMONIA"


def test_more_readings_take_no_more_queries(
    api: APIClient, clinician: User, model_version: ModelVersion, xception: ModelVersion
) -> None:
    counts = []
    for _ in range(2):
        for _ in range(3):
            job = make_job(make_study(clinician, model_version), model_version, JobStatus.DONE)
            make_job_of(job.image, xception, JobStatus.DONE, purpose=Purpose.REREAD)
        counts.append(len(queries_of(lambda: api.get(STUDIES))))
    assert counts[0] == counts[1]


def test_a_refusal_is_overridden_with_a_reason_and_rings(
    api: APIClient,
    refused: Job,
    doorbell: Doorbell,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = override(api, refused, reason=f" {REASON} ")
    assert response.status_code == 202
    assert (response.json()["id"], response.json()["status"]) == (str(refused.pk), "queued")
    assert response.json()["error"] is None
    assert (row(refused)["override_code"], row(refused)["override_reason"]) == ("not_frontal", REASON)
    assert last_event(AuditAction.REFUSAL_OVERRIDDEN).actor_name == "clinician"
    assert doorbell.rings() == 1


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 501}, {"reason": "a\0"}])
def test_an_override_without_a_good_reason_is_400_by_its_name(
    api: APIClient, refused: Job, body: dict[str, str]
) -> None:
    response = override(api, refused, **body)
    assert (response.status_code, list(response.json())) == (400, ["reason"])
    assert row(refused)["status"] == JobStatus.REFUSED


@pytest.mark.parametrize("status", JobStatus)
def test_what_the_gate_did_not_refuse_is_409(
    api: APIClient, clinician: User, model_version: ModelVersion, status: JobStatus
) -> None:
    job = make_job(make_study(clinician, model_version), model_version, status)
    response = override(api, job, reason=REASON)
    assert response.status_code == 409
    assert "the gate has not refused it" in response.json()["detail"]
    assert row(job)["status"] == status


def test_an_outsider_gets_404_for_both(outsider: User, refused: Job, xception: ModelVersion) -> None:
    theirs = api_of(outsider)
    assert override(theirs, refused, reason=REASON).status_code == 404
    assert read_again(theirs, refused, model="xception").status_code == 404
    assert list(Job.objects.values_list("status", flat=True)) == [JobStatus.REFUSED]


def test_who_lacks_the_right_gets_403_with_words(
    api: APIClient, auditor: User, refused: Job, xception: ModelVersion
) -> None:
    take("override_refusal")
    take("add_study")
    for client in (api, api_of(auditor)):
        assert "may not override refusals" in override(client, refused, reason=REASON).json()["detail"]
        assert "may not ask for readings" in read_again(client, refused, model="xception").json()["detail"]
        assert override(client, refused, reason=REASON).status_code == 403
        assert read_again(client, refused, model="xception").status_code == 403
    assert Job.objects.count() == 1


@pytest.mark.parametrize("model", ["xception", "xception@1.0.0"])
def test_an_image_is_read_again_with_another_model(
    api: APIClient,
    done: Job,
    xception: ModelVersion,
    doorbell: Doorbell,
    model: str,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = read_again(api, done, model=model)
    assert response.status_code == 202
    reading = response.json()
    assert (reading["model"], reading["model_version"], reading["status"]) == ("xception", "1.0.0", "queued")
    assert image_of(api, done)["readings"][0] == reading
    assert last_event(AuditAction.READING_REQUESTED).actor_name == "clinician"
    assert doorbell.rings() == 1


@pytest.mark.parametrize("body", [{}, {"model": ""}, {"model": "nothing"}, {"model": "xception@9"}, {"model": "\0"}])
def test_a_model_that_is_not_known_is_400_by_its_name(
    api: APIClient, done: Job, xception: ModelVersion, body: dict[str, str]
) -> None:
    response = read_again(api, done, **body)
    assert (response.status_code, list(response.json())) == (400, ["model"])
    assert Job.objects.count() == 1


def test_a_model_that_has_read_it_or_cannot_read_now_is_409_with_words(api: APIClient, done: Job) -> None:
    make_model_version("gone", "1.0.0", available=False)
    for model, words in (("mobilenet_v2", "has read this image already"), ("gone@1.0.0", "cannot read on this site")):
        response = read_again(api, done, model=model)
        assert response.status_code == 409
        assert words in response.json()["detail"]
    assert Job.objects.count() == 1


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_asking_takes_a_post(api: APIClient, refused: Job, method: str) -> None:
    for url in (f"/api/v1/jobs/{refused.pk}/override/", f"/api/v1/images/{refused.image_id}/readings/"):
        assert getattr(api, method)(url).status_code == 405


@pytest.mark.parametrize(
    ("model", "read_by"), [("xception", "xception"), ("xception@1.0.0", "xception"), ("mobilenet_v2", "mobilenet_v2")]
)
def test_a_study_is_read_with_the_model_that_is_named(
    api: APIClient, xception: ModelVersion, model: str, read_by: str
) -> None:
    assert send(api, model=model).status_code == 202
    assert Job.objects.get().model_version.name == read_by


def test_a_study_that_names_no_model_is_read_with_the_default(
    api: APIClient, model_version: ModelVersion, xception: ModelVersion
) -> None:
    assert send(api).status_code == 202
    assert send(api, model="").status_code == 202
    assert {job.model_version for job in Job.objects.all()} == {model_version}


@pytest.mark.parametrize("model", ["nothing", "xception@9.9.9", "gone", "a\0"])
def test_a_study_for_a_model_that_is_not_known_is_400_by_its_name(
    api: APIClient, xception: ModelVersion, model: str
) -> None:
    make_model_version("gone", "1.0.0", available=False)
    response = send(api, model=model)
    assert (response.status_code, list(response.json())) == (400, ["model"])
    assert not Study.objects.exists()
    assert stored_files() == []


def test_a_study_for_a_model_that_cannot_read_now_is_400_in_the_shape_of_a_submission(
    api: APIClient, model_version: ModelVersion, xception: ModelVersion
) -> None:
    report_worker(name="reader-1", model_versions=[model_version], engine="openvino")
    response = send(api, model="xception")
    assert response.status_code == 400
    assert response.json()["id"] is None
    assert "xception 1.0.0 cannot read on this site now." in response.json()["detail"]


def test_the_models_are_told_with_their_figures_and_limits(
    api: APIClient, model_version: ModelVersion, xception: ModelVersion
) -> None:
    make_model_version("gone", "1.0.0", available=False)
    ModelVersion.objects.filter(pk=xception.pk).update(standing=Standing.SHADOW)
    models = api.get(MODELS).json()
    assert [(model["name"], model["default"], model["standing"], model["available"]) for model in models] == [
        ("gone", False, "candidate", False),
        ("mobilenet_v2", True, "live", True),
        ("xception", False, "shadow", True),
    ]
    default = models[1]
    assert default["band"] == {"low": 0.4, "high": 0.6}
    assert (default["threshold"], default["temperature"]) == (0.45, 1.5)
    assert (default["card_sha256"], default["weights_sha256"]) == (
        model_version.card_sha256,
        model_version.weights_sha256,
    )
    assert default["figures"]["holdout"]["sensitivity"] == {"value": 0.95, "low": 0.93, "high": 0.97}
    assert (default["limits"], default["intended_use"]) == (["It was never trained."], "To be tested with.")
    assert default["training"]["population"] == "Children aged 1 to 5."


def test_more_models_take_no_more_queries(api: APIClient, xception: ModelVersion) -> None:
    before = len(queries_of(lambda: api.get(MODELS)))
    make_model_version("densenet121", "1.0.0")
    assert len(queries_of(lambda: api.get(MODELS))) == before


def test_the_list_of_models_asks_for_a_token() -> None:
    assert APIClient().get(MODELS).status_code == 401


def test_the_list_is_filtered_by_certainty(api: APIClient, clinician: User, model_version: ModelVersion) -> None:
    for patient, reason in (("P-1", "band"), ("P-2", "")):
        study = make_study(clinician, model_version, patient_id=patient)
        make_result(make_job(study, model_version, JobStatus.RUNNING), indeterminate_reason=reason)
    Job.objects.update(status=JobStatus.DONE, lease_until=None)
    found = api.get(STUDIES, {"indeterminate": "true"}).json()["results"]
    assert [study["patient_id"] for study in found] == ["P-1"]
    assert api.get(STUDIES, {"indeterminate": "perhaps"}).status_code == 400
