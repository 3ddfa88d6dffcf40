"""Refusals that quote what a file says of itself: whatever that is, it costs no other file anything."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from diagnoses.models import RejectedFile
from tests import pictures
from tests.diagnoses.sending import send, upload

pytestmark = pytest.mark.usefixtures("model_version")

NULS = pytest.mark.parametrize(
    ("whole", "with_nul"),
    [
        (b"1.2.840.10008.1.2.1\0", b"1.2.840.1000\0.1.2.1\0"),
        (b"CS\2\0DX", b"CS\2\0\0X"),
        (b"MONOCHROME2", b"MONO\0HROME2"),
    ],
    ids=["transfer syntax", "modality", "photometric interpretation"],
)


@pytest.fixture(scope="module")
def radiograph() -> bytes:
    return pictures.dicom(pictures.phantom())


@NULS
def test_a_nul_in_a_header_costs_its_file_and_not_the_others_of_its_study(
    api: APIClient, radiograph: bytes, whole: bytes, with_nul: bytes
) -> None:
    assert radiograph.count(whole) == 1
    response = send(api, upload("1.png"), upload("2.dcm", radiograph.replace(whole, with_nul)))
    assert response.status_code == 202
    assert [image["status"] for image in response.json()["images"]] == ["queued", "refused"]
    assert RejectedFile.objects.get().message.isprintable()


@NULS
def test_a_nul_in_the_header_of_a_file_that_joins_a_study_is_refused_once_and_for_all(
    browser: Client, clinician: User, radiograph: bytes, whole: bytes, with_nul: bytes
) -> None:
    study_key, batch = uuid.uuid4(), uuid.uuid4()

    def send_file(data: bytes) -> Any:
        said = {"sender": clinician.pk, "study_key": study_key, "upload_key": uuid.uuid4(), "batch": batch}
        return browser.post(reverse("send_file"), said | {"filename": "chest", "file": upload(data=data)})

    assert "error" not in send_file(radiograph).json()
    response = send_file(radiograph.replace(whole, with_nul))
    assert response.status_code == 200
    assert response.json()["error"]["message"] == RejectedFile.objects.get().message


def test_a_header_is_quoted_within_bounds(api: APIClient, radiograph: bytes) -> None:
    long = radiograph.replace(b"CS\x0c\0MONOCHROME2 ", b"CS" + (33_000).to_bytes(2, "little") + b"MONOCHROME9" * 3000)
    assert send(api, upload("1.png"), upload("2.dcm", long)).status_code == 202
    rejected = RejectedFile.objects.get()
    assert rejected.code == "unsupported_encoding"
    assert "MONOCHROME9" in rejected.message
    assert len(rejected.message) < 300
