"""Sending by API to a queue that is long, and sending the same again."""

from itertools import count, starmap
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from diagnoses import storage
from diagnoses.models import Job, ModelVersion, Study
from diagnoses.models.audit import AuditAction
from diagnoses.services import submission
from diagnoses.services.jobs import claim_jobs
from tests import pictures
from tests.conftest import api_of
from tests.diagnoses.claiming import refuse_job
from tests.diagnoses.factory import PICTURE, last_event, stored_files
from tests.diagnoses.sending import STUDIES, send, study_of, upload

pytestmark = pytest.mark.usefixtures("model_version")

OTHER_PICTURE = pictures.jpeg(pictures.phantom(seed=1))


def again(api: APIClient, *files: SimpleUploadedFile, key: str = "once", **fields: str) -> Any:
    data = {"files": list(files), **fields}
    return api.post(STUDIES, data, format="multipart", headers={"Idempotency-Key": key})


def test_what_is_sent_again_with_the_same_key_is_taken_in_once(api: APIClient) -> None:
    first = again(api, upload("1.png"), upload("2.txt", b"Dear colleague"), patient_id="P-1")
    second = again(api, upload("1.png"), upload("2.txt", b"Dear colleague"), patient_id="P-1")
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json() == first.json()
    assert (Study.objects.count(), Job.objects.count(), len(stored_files())) == (1, 1, 1)


def test_the_answer_to_the_same_key_says_how_far_the_study_is(api: APIClient, model_version: ModelVersion) -> None:
    again(api, upload())
    [claim] = claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1)
    refuse_job(claim=claim, code="damaged", message="Export it again.")
    [image] = again(api, upload()).json()["images"]
    assert (image["status"], image["filename"]) == ("refused", "chest.png")


@pytest.mark.parametrize(
    "change", [{"data": b"Dear colleague"}, {"patient_id": "P-2"}, {"model": "mobilenet_v2"}], ids=str
)
def test_the_same_key_for_something_else_is_refused_and_keeps_nothing(api: APIClient, change: dict[str, Any]) -> None:
    again(api, upload(), upload(), patient_id="P-1")
    fields = {"patient_id": "P-1"} | {name: value for name, value in change.items() if name != "data"}
    response = again(api, upload(), upload(data=change.get("data", PICTURE)), **fields)
    assert response.status_code == 409
    assert "with a key of their own" in response.json()["detail"]
    assert (Study.objects.count(), len(stored_files())) == (1, 2)


def test_what_was_taken_in_before_is_answered_though_the_queue_is_full_by_now(
    api: APIClient, settings: LazySettings
) -> None:
    settings.CXR_MAX_QUEUED = 1
    first = again(api, upload())
    assert again(api, upload(), key="another").status_code == 429
    assert again(api, upload()).json() == first.json()


@pytest.fixture
def full_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The storage has no room for the second file, and takes all others."""
    real, writes = storage.write, count(1)

    def write(name: str, data: bytes) -> None:
        if next(writes) == 2:
            raise OSError(28, "No space left on device")
        real(name, data)

    monkeypatch.setattr(storage, "write", write)


@pytest.mark.usefixtures("full_once")
def test_a_file_that_could_not_be_kept_once_does_not_make_the_key_that_of_other_files(api: APIClient) -> None:
    files = {"1.png": PICTURE, "2.jpg": OTHER_PICTURE}
    first, second = (again(api, *starmap(upload, files.items())) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json() == first.json()
    taken, left = second.json()["images"]
    assert (taken["status"], left["error"]["code"]) == ("queued", "storage_unavailable")
    assert "as a new study" in left["error"]["message"]
    [image] = again(api, upload("2.jpg", OTHER_PICTURE), key="another").json()["images"]
    assert image["status"] == "queued"
    assert (Study.objects.count(), len(stored_files())) == (2, 2)


def test_what_was_taken_in_before_is_answered_though_the_site_could_take_nothing_now(
    api: APIClient, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = again(api, upload())
    monkeypatch.setattr(storage, "write", Mock(side_effect=OSError(28, "No space left on device")))
    ModelVersion.objects.update(available=False)
    assert again(api, upload(), key="another").status_code == 400
    second = again(api, upload())
    assert (second.status_code, second.json()) == (202, first.json())


def test_of_two_that_come_at_once_with_the_same_key_one_is_taken_in(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "_was_used", lambda *_: False)
    first, second = (again(api, upload("1.png"), upload("2.txt", b"Dear colleague")) for _ in range(2))
    assert (second.status_code, second.json()) == (202, first.json())
    assert again(api, upload("1.png")).status_code == 409
    assert (Study.objects.count(), len(stored_files())) == (1, 1)


def test_a_key_is_that_of_the_refused_files_too(api: APIClient, settings: LazySettings) -> None:
    settings.CXR_MAX_FILE_BYTES = len(PICTURE)
    huge = PICTURE + b"!"
    first = again(api, upload(), upload("letter.txt", b"Dear colleague"), upload("huge.dcm", huge))
    assert [image["error"] and image["error"]["code"] for image in first.json()["images"]] == [
        None,
        "unsupported_type",
        "too_large",
    ]
    same = again(api, upload(), upload("letter.txt", b"Dear colleague"), upload("huge.dcm", huge))
    assert same.json() == first.json()
    for letter, other in ((b"Dear patient", huge), (b"Dear colleague", huge + b"!")):
        response = again(api, upload(), upload("letter.txt", letter), upload("huge.dcm", other))
        assert response.status_code == 409


def test_another_senders_key_of_the_same_name_is_another_key(api: APIClient, outsider: User) -> None:
    mine, theirs = again(api, upload()).json()["id"], again(api_of(outsider), upload()).json()["id"]
    assert mine != theirs
    assert Study.objects.count() == 2


@pytest.mark.parametrize("key", ["k" * 256, "tab\tbed"])
def test_a_key_that_is_none_is_refused_with_words(api: APIClient, key: str) -> None:
    response = again(api, upload(), key=key)
    assert response.status_code == 400
    assert "at most 255 printable characters" in response.json()["detail"]
    assert not Study.objects.exists()


def test_when_too_much_waits_nothing_is_taken_and_the_answer_says_when_to_come_again(
    api: APIClient, settings: LazySettings
) -> None:
    settings.CXR_MAX_QUEUED = 3
    assert send(api, upload(), upload()).status_code == 202
    response = send(api, upload(), upload())
    assert response.status_code == 429
    assert int(response["Retry-After"]) >= 1
    assert "2 images wait to be read already" in response.json()["detail"]
    assert (Study.objects.count(), len(stored_files())) == (1, 2)
    assert send(api, upload()).status_code == 202


def test_a_waiting_study_says_its_place_in_the_queue(api: APIClient, model_version: ModelVersion) -> None:
    first, second = (send(api, upload(), upload()).json()["id"] for _ in range(2))
    assert study_of(api, first)["queue"] == {"images_ahead": 0, "eta_seconds": None}
    assert study_of(api, second)["queue"] == {"images_ahead": 2, "eta_seconds": None}
    claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=4)
    assert study_of(api, second)["queue"] is None


def test_an_urgent_study_is_on_record_as_one_and_its_jobs_go_first(api: APIClient) -> None:
    ordinary, urgent = (send(api, upload(), urgent=urgent).json()["id"] for urgent in ("false", "true"))
    assert [study_of(api, study)["urgent"] for study in (ordinary, urgent)] == [False, True]
    assert dict(Job.objects.values_list("image__study__id", "urgent")) == {UUID(ordinary): False, UUID(urgent): True}
    assert last_event(AuditAction.STUDY_SUBMITTED).detail["urgent"] is True
