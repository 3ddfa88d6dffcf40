"""What the send page's script asks of the server, and the outsider who asks the same."""

import json
import uuid
from hashlib import sha256
from pathlib import Path
from typing import Any

import data_store
import pydicom
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from diagnoses.models import AuditEvent, Image, Job, ModelVersion, Profile, Reading, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.reading import Finding
from diagnoses.services.registry import report_worker
from diagnoses.states import JobStatus
from tests import pictures
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import PICTURE, PICTURE_SHA256, make_job, make_result, make_study, unreadable
from tests.diagnoses.sending import upload

pytestmark = pytest.mark.usefixtures("model_version")

BATCH = uuid.uuid4()
STUDY_KEY = uuid.uuid4()


def send_file(browser: Client, user: User, data: bytes = PICTURE, **fields: Any) -> Any:
    said = {
        "sender": user.pk,
        "study_key": STUDY_KEY,
        "upload_key": uuid.uuid4(),
        "batch": BATCH,
        "filename": "ward/chest.png",
        "file": upload(data=data),
    }
    return browser.post(reverse("send_file"), said | fields)


def state_of(browser: Client, *batches: uuid.UUID) -> dict[str, Any]:
    response = browser.get(reverse("send_state"), {"batch": [str(batch) for batch in batches or [BATCH]]})
    assert response.status_code == 200
    return dict(response.json())


def seen(browser: Client, *digests: str) -> Any:
    return browser.post(reverse("send_seen"), {"sha256": digests}, content_type="application/json")


def header(browser: Client, data: bytes) -> Any:
    return browser.post(reverse("send_header"), data, content_type="application/octet-stream")


def job_in_batch(user: User, model_version: ModelVersion, status: JobStatus, **fields: Any) -> Job:
    """A reading of a file that was sent with a key of its own."""
    job = make_job(make_study(user, model_version, batch=BATCH), model_version, status, **fields)
    Image.objects.filter(pk=job.image_id).update(upload_key=uuid.uuid4())
    job.image.refresh_from_db()
    return job


def test_a_file_is_taken_with_its_name_its_path_and_what_is_said_of_its_study(browser: Client, clinician: User) -> None:
    response = send_file(browser, clinician, patient_id="P-1", urgent="on")
    image = Image.objects.get()
    assert response.status_code == 200
    assert response.json() == {"study": reverse("study", args=[image.study_id]), "seen": None}
    assert (image.filename, image.study.patient_id, image.study.urgent, image.study.batch) == (
        "ward/chest.png",
        "P-1",
        True,
        BATCH,
    )


def test_a_repeat_is_answered_as_the_first_was(browser: Client, clinician: User) -> None:
    key = uuid.uuid4()
    first, again = (send_file(browser, clinician, upload_key=key) for _ in range(2))
    assert again.json() == first.json()
    assert Image.objects.count() == 1


def test_a_refused_file_is_answered_with_its_reason(browser: Client, clinician: User) -> None:
    response = send_file(browser, clinician, b"Dear colleague")
    assert response.status_code == 200
    assert response.json()["study"] is None
    assert response.json()["error"]["code"] == "unsupported_type"


def test_the_answer_says_that_the_file_was_sent_before(browser: Client, clinician: User) -> None:
    send_file(browser, clinician)
    before = Image.objects.get()
    response = send_file(browser, clinician, study_key=uuid.uuid4())
    assert response.json()["seen"]["study"] == reverse("study", args=[before.study_id])


def test_a_file_that_another_user_sent_before_is_not_said_to_be_so(
    browser: Client, clinician: User, outsider: User
) -> None:
    send_file(browser, clinician)
    assert send_file(browser_of(outsider), outsider).json()["seen"] is None


def test_a_page_of_another_user_sends_nothing_in_the_name_of_the_one_who_is_signed_in(
    browser: Client, clinician: User, outsider: User
) -> None:
    response = send_file(browser, outsider)
    assert (response.status_code, response.json()["error"]["code"]) == (409, "another_user")
    assert not Study.objects.exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"study_key": "mine"}, "Enter a valid UUID"),
        ({"batch": ""}, "required"),
        ({"patient_id": "x" * 65}, "at most 64 characters"),
        ({"model": "none@0"}, "does not read here"),
        ({"file": ""}, "required"),
    ],
)
def test_wrong_fields_keep_nothing_and_are_told(
    browser: Client, clinician: User, fields: dict[str, Any], words: str
) -> None:
    response = send_file(browser, clinician, **fields)
    assert response.status_code == 400
    assert words in response.json()["error"]["message"]
    assert not Study.objects.exists()


def test_while_too_much_waits_the_answer_says_when_to_come_again(
    browser: Client, clinician: User, settings: LazySettings
) -> None:
    settings.CXR_MAX_QUEUED = 1
    send_file(browser, clinician)
    response = send_file(browser, clinician)
    assert (response.status_code, response.json()["error"]["code"]) == (429, "queue_full")
    assert int(response["Retry-After"]) >= 1


def test_a_storage_that_fails_is_no_fault_of_the_files(
    browser: Client, clinician: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diagnoses.views.sending.sent_file", lambda *_: unreadable(OSError("disk")))
    response = send_file(browser, clinician)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "storage_unavailable")


def test_other_words_about_the_same_study_are_a_conflict(browser: Client, clinician: User) -> None:
    send_file(browser, clinician, patient_id="P-1")
    response = send_file(browser, clinician, patient_id="P-2")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "key_reused")


def test_a_full_study_is_told(browser: Client, clinician: User, settings: LazySettings) -> None:
    settings.CXR_MAX_FILES = 1
    send_file(browser, clinician)
    response = send_file(browser, clinician)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "not_taken")


def test_a_file_without_its_token_is_refused(clinician: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(clinician)
    assert send_file(strict, clinician).status_code == 403
    assert not Study.objects.exists()


def test_a_state_says_of_each_file_how_it_stands(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    jobs = {status: job_in_batch(clinician, model_version, status) for status in JobStatus}
    report_worker(name="reader-1", model_versions=[model_version], engine="openvino")
    said = state_of(browser)
    assert (said["user"], said["worker_is_alive"]) == (str(clinician.pk), True)
    files = {status: said["files"][str(job.image.upload_key)] for status, job in jobs.items()}
    assert files[JobStatus.QUEUED]["waiting"] == "next"
    assert files[JobStatus.RUNNING]["verdict"] == "running"
    done = files[JobStatus.DONE]
    assert (done["verdict"], done["probability"], done["study"]) == (
        "pneumonia",
        "93.1 %",
        reverse("study", args=[jobs[JobStatus.DONE].image.study_id]),
    )
    assert files[JobStatus.REFUSED]["reason"] == "The picture is damaged. Export it again."
    assert files[JobStatus.FAILED]["verdict"] == "failed"
    assert done["rank"] < files[JobStatus.REFUSED]["rank"] < files[JobStatus.FAILED]["rank"]


def test_each_file_has_a_place_of_its_own_and_urgent_ones_come_first(
    browser: Client, clinician: User, outsider: User, model_version: ModelVersion
) -> None:
    make_study(outsider, model_version, JobStatus.QUEUED)
    first, second = (job_in_batch(clinician, model_version, JobStatus.QUEUED) for _ in range(2))
    make_job(make_study(outsider, model_version, urgent=True), model_version, urgent=True)
    files = state_of(browser)["files"]
    assert files[str(first.image.upload_key)]["waiting"] == "2 images before it"
    assert files[str(second.image.upload_key)]["waiting"] == "3 images before it"


def test_a_refused_file_of_a_study_is_in_its_state_too(browser: Client, clinician: User) -> None:
    send_file(browser, clinician)
    key = uuid.uuid4()
    send_file(browser, clinician, b"Dear colleague", upload_key=key)
    file = state_of(browser)["files"][str(key)]
    assert (file["status"], file["reason"][:15]) == ("refused", "This is no PNG,")


def test_a_site_without_a_worker_is_told_while_something_waits(browser: Client, clinician: User) -> None:
    assert state_of(browser)["worker_is_alive"] is True
    send_file(browser, clinician)
    assert state_of(browser)["worker_is_alive"] is False


def test_a_state_names_nothing_of_another_users(browser: Client, clinician: User, outsider: User) -> None:
    send_file(browser, clinician)
    assert state_of(browser)["files"]
    assert state_of(browser_of(outsider))["files"] == {}


def test_a_state_of_no_batch_is_told(browser: Client) -> None:
    response = browser.get(reverse("send_state"), {"batch": "mine"})
    assert response.status_code == 400


def test_an_answer_is_on_record_once_however_often_it_is_looked_at(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    job = job_in_batch(clinician, model_version, JobStatus.DONE)
    job_in_batch(clinician, model_version, JobStatus.RUNNING)
    for _ in range(3):
        state_of(browser)
    [event] = AuditEvent.objects.filter(action=AuditAction.STUDY_VIEWED)
    assert (event.object_id, event.actor_name) == (str(job.image.study_id), "clinician")
    assert event.detail == {"answers": [f"{job.pk}:{job.token}"]}
    other = make_job(job.image.study, model_version, JobStatus.DONE)
    Image.objects.filter(pk=other.image_id).update(upload_key=uuid.uuid4())
    state_of(browser)
    assert AuditEvent.objects.filter(action=AuditAction.STUDY_VIEWED).count() == 2


def test_who_reads_first_is_not_shown_an_answer_before_their_own(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    Profile.objects.create(user=clinician, reads_first=True)
    job = job_in_batch(clinician, model_version, JobStatus.DONE)
    file = state_of(browser)["files"][str(job.image.upload_key)]
    assert file["verdict"] == "covered"
    assert "93.1" not in json.dumps(file)
    assert "pneumonia" not in json.dumps(file)
    assert not AuditEvent.objects.filter(action=AuditAction.STUDY_VIEWED).exists()
    Reading.objects.create(
        image=job.image, job=job, reader=clinician, reader_name="c", finding=Finding.NORMAL, answer_shown=False
    )
    assert state_of(browser)["files"][str(job.image.upload_key)]["verdict"] == "pneumonia"


def test_how_covered_files_are_ordered_tells_nothing(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    Profile.objects.create(user=clinician, reads_first=True)
    job_in_batch(clinician, model_version, JobStatus.DONE)
    normal = job_in_batch(clinician, model_version, JobStatus.RUNNING)
    Job.objects.filter(pk=normal.pk).update(status=JobStatus.DONE, lease_until=None)
    make_result(normal, probability=0.1, label="NORMAL")
    files = list(state_of(browser)["files"].values())
    assert len({(file["rank"], file["verdict"], file.get("order")) for file in files}) == 1


def test_what_was_sent_before_is_found_by_its_content(browser: Client, done_study: Study) -> None:
    found = seen(browser, PICTURE_SHA256, "0" * 64).json()["seen"]
    assert list(found) == [PICTURE_SHA256]
    assert found[PICTURE_SHA256]["study"] == reverse("study", args=[done_study.pk])


def test_the_newest_of_several_is_named(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    make_study(clinician, model_version, JobStatus.DONE)
    newest = make_study(clinician, model_version, JobStatus.DONE)
    Study.objects.exclude(pk=newest.pk).update(created_at="2020-01-01T00:00:00Z")
    assert seen(browser, PICTURE_SHA256).json()["seen"][PICTURE_SHA256]["study"] == reverse("study", args=[newest.pk])


def test_what_another_user_sent_before_is_not_found(done_study: Study, outsider: User) -> None:
    assert seen(browser_of(outsider), PICTURE_SHA256).json() == {"seen": {}}


@pytest.mark.parametrize("digests", ["1", '["x"]', "[1]", "null", '["0"'])
def test_what_are_no_digests_is_told(browser: Client, digests: str) -> None:
    response = browser.post(reverse("send_seen"), f'{{"sha256": {digests}}}', content_type="application/json")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid")


def test_too_many_digests_are_not_looked_up(browser: Client) -> None:
    assert seen(browser, *(sha256(str(n).encode()).hexdigest() for n in range(1001))).status_code == 400


def test_a_header_says_whose_file_it_is_and_nothing_of_it_is_kept(browser: Client) -> None:
    data = (Path(data_store.__file__).parent / "data" / "MR2_UNCR.dcm").read_bytes()
    response = header(browser, data[: 16 * 1024])
    assert response.json()["patient"] == {
        "patient_id": "5MR2",
        "sex": "M",
        "birth_date": "1950-01-12",
        "accession_number": "",
        "study_uid": "1.3.6.1.4.1.5962.1.2.5.20040826185059.5457",
        "complete": True,
    }
    assert not Study.objects.exists()
    assert "no-store" in response["Cache-Control"]


def test_a_header_of_an_encoding_that_is_not_taken_is_told_at_once(browser: Client) -> None:
    data = (Path(pydicom.__file__).parent / "data" / "test_files" / "image_dfl.dcm").read_bytes()
    assert header(browser, data[:4096]).json()["error"]["code"] == "unsupported_encoding"


def test_more_than_a_header_is_not_looked_at(browser: Client) -> None:
    data = pictures.dicom(pictures.phantom(600, 600))
    assert len(data) > 128 * 1024
    assert header(browser, data).status_code == 413


def test_the_page_brings_along_what_its_script_needs(browser: Client, settings: LazySettings, clinician: User) -> None:
    settings.CXR_MAX_FILES = 1234
    page = browser.get(reverse("send")).content.decode()
    assert f'data-user="{clinician.pk}" data-most-files="1234"' in page
    for name in ("send_file", "send_state", "send_seen", "send_header"):
        assert f'="{reverse(name)}"' in page
