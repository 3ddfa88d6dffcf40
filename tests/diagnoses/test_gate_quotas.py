"""How much one user may send in a minute and on a day, and how much room there must be for it."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from diagnoses.audit import user_actor
from diagnoses.models import AuditEvent, Image, UploadCount
from diagnoses.models.audit import AuditAction
from diagnoses.services import allowance
from diagnoses.services.allowance import QuotaError
from tests.conftest import api_of
from tests.diagnoses.factory import PICTURE, queries_of, stored_files
from tests.diagnoses.sending import STUDIES, send, upload
from tests.zips import packed

pytestmark = pytest.mark.usefixtures("model_version")

MB = 1024 * 1024


def count(user: User, files: int = 1, sent_bytes: int = 0) -> None:
    allowance.count(user_actor(user), files, sent_bytes)


def refused(user: User, files: int = 1, sent_bytes: int = 0) -> QuotaError:
    with pytest.raises(QuotaError) as raised:
        count(user, files, sent_bytes)
    return raised.value


def send_file(browser: Client, user: User) -> Any:
    said = {"sender": user.pk, "study_key": uuid.uuid4(), "upload_key": uuid.uuid4(), "batch": uuid.uuid4()}
    return browser.post(reverse("send_file"), said | {"filename": "1.png", "file": upload()})


def test_so_many_files_in_a_minute_and_no_more(clinician: User, settings: LazySettings) -> None:
    settings.CXR_UPLOADS_PER_MINUTE = 5
    count(clinician, 3)
    count(clinician, 2)
    error = refused(clinician)
    assert 1 <= error.retry_after_seconds <= 60
    assert "more files than the 5 that are taken from one user in a minute" in str(error)


def test_what_is_refused_is_not_counted(clinician: User, settings: LazySettings) -> None:
    settings.CXR_UPLOADS_PER_MINUTE = 5
    count(clinician, 3)
    refused(clinician, 3)
    count(clinician, 2)


def test_after_the_minute_it_begins_anew(clinician: User, settings: LazySettings) -> None:
    settings.CXR_UPLOADS_PER_MINUTE = 5
    count(clinician, 5)
    UploadCount.objects.update(minute=timezone.now() - timedelta(minutes=1))
    count(clinician, 5)


def test_a_minute_that_ends_while_it_is_asked_about_is_no_wait_of_a_day(
    clinician: User, settings: LazySettings
) -> None:
    def turn_the_minute(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("\nSELECT minute"):
            UploadCount.objects.update(minute=timezone.now() - timedelta(minutes=1))
        return execute(sql, params, many, context)

    settings.CXR_UPLOADS_PER_MINUTE = 5
    count(clinician, 5)
    with connection.execute_wrapper(turn_the_minute):
        assert refused(clinician).retry_after_seconds == 1
    assert UploadCount.objects.filter(minute__lt=timezone.now() - timedelta(minutes=1)).exists()


def test_so_many_bytes_on_a_day_and_no_more(clinician: User, settings: LazySettings) -> None:
    settings.CXR_UPLOAD_BYTES_PER_DAY = 10 * MB
    count(clinician, sent_bytes=9 * MB)
    error = refused(clinician, sent_bytes=2 * MB)
    assert 1 <= error.retry_after_seconds <= 24 * 60 * 60
    assert "more than the 10 MB that are taken from one user in a day" in str(error)
    UploadCount.objects.update(day=timezone.now().date() - timedelta(days=2))
    count(clinician, sent_bytes=2 * MB)


def test_one_user_takes_nothing_from_another(clinician: User, outsider: User, settings: LazySettings) -> None:
    settings.CXR_UPLOADS_PER_MINUTE = 5
    count(clinician, 5)
    refused(clinician)
    count(outsider, 5)


def test_to_count_takes_one_statement(clinician: User) -> None:
    count(clinician)
    assert len(queries_of(lambda: count(clinician))) == 1


def test_the_api_says_when_to_come_again(api: APIClient, settings: LazySettings) -> None:
    settings.CXR_UPLOADS_PER_MINUTE = 1
    assert send(api, upload()).status_code == 202
    response = send(api, upload())
    assert response.status_code == 429
    assert 1 <= int(response["Retry-After"]) <= 60
    assert "send these again in" in response.json()["detail"]
    assert Image.objects.count() == 1


def test_what_comes_again_under_its_key_is_neither_counted_nor_refused(api: APIClient, settings: LazySettings) -> None:
    settings.CXR_UPLOADS_PER_MINUTE = 1
    first = send_under_a_key(api, upload())
    settings.CXR_MIN_FREE_BYTES = 2**62
    again = send_under_a_key(api, upload())
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert UploadCount.objects.get().files == 1


def test_a_key_that_was_used_takes_no_other_file_past_the_quota(api: APIClient, settings: LazySettings) -> None:
    settings.CXR_UPLOADS_PER_MINUTE = 1
    send_under_a_key(api, upload())
    kept = stored_files()
    assert send_under_a_key(api, upload(data=PICTURE + b"another")).status_code == 409
    assert (Image.objects.count(), stored_files()) == (1, kept)


def test_an_archive_is_opened_within_the_quota_whatever_its_key(api: APIClient, settings: LazySettings) -> None:
    archive = packed({"1.png": PICTURE})
    settings.CXR_UPLOADS_PER_MINUTE = 1
    assert send_under_a_key(api, upload("w.zip", archive)).status_code == 202
    assert send_under_a_key(api, upload("w.zip", archive)).status_code == 429


def send_under_a_key(api: APIClient, file: SimpleUploadedFile) -> Any:
    return api.post(STUDIES, {"files": [file]}, format="multipart", headers={"Idempotency-Key": "a key"})


def test_the_page_and_the_form_say_so_too(browser: Client, clinician: User, settings: LazySettings) -> None:
    settings.CXR_UPLOADS_PER_MINUTE = 1
    assert send_file(browser, clinician).status_code == 200
    response = send_file(browser, clinician)
    assert (response.status_code, response.json()["error"]["code"]) == (429, "quota")
    assert response["Retry-After"]
    response = browser.post(reverse("send"), {"files": [upload()]})
    assert response.status_code == 429
    assert response["Retry-After"]
    assert b"taken from one user in a minute" in response.content


def test_the_files_of_a_zip_are_counted_one_by_one(api: APIClient, settings: LazySettings) -> None:
    settings.CXR_UPLOADS_PER_MINUTE = 3
    assert send(api, upload("w.zip", packed({f"{n}.png": PICTURE for n in range(4)}))).status_code == 429
    assert stored_files() == []
    UploadCount.objects.all().delete()
    assert send(api, upload("w.zip", packed({f"{n}.png": PICTURE for n in range(3)}))).status_code == 202


def test_a_quota_that_is_used_up_is_on_record_once_in_a_while(
    api: APIClient, clinician: User, outsider: User, settings: LazySettings
) -> None:
    settings.CXR_UPLOADS_PER_MINUTE = 0
    for _ in range(3):
        assert send(api, upload()).status_code == 429
    assert send(api_of(outsider), upload()).status_code == 429
    events = AuditEvent.objects.filter(action=AuditAction.UPLOAD_REFUSED).order_by("id")
    assert [(event.actor_id, event.detail) for event in events] == [
        (clinician.pk, {"rejected": ["files_per_minute"]}),
        (outsider.pk, {"rejected": ["files_per_minute"]}),
    ]


def test_a_disk_that_is_nearly_full_takes_nothing_more(
    api: APIClient, browser: Client, clinician: User, settings: LazySettings
) -> None:
    settings.CXR_MIN_FREE_BYTES = 2**60
    response = send(api, upload())
    assert response.status_code == 503
    assert response["Retry-After"] == "60"
    assert "tell your administrator" in response.json()["detail"]
    response = send_file(browser, clinician)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "no_room")
    assert AuditEvent.objects.get(action=AuditAction.UPLOAD_REFUSED).detail == {"rejected": ["no_room"]}
    assert stored_files() == []
