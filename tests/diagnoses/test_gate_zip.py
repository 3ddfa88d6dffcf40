"""ZIP archives that come by the API or the form: each file in them is answered as if it had come alone."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from diagnoses.imaging.archive import SMALL_BYTES
from diagnoses.models import Image, RejectedFile
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.originals import read_original
from tests import pictures
from tests.diagnoses.factory import PICTURE, last_event, stored_files
from tests.diagnoses.sending import send, upload
from tests.zips import Part, built, deflated, packed

pytestmark = pytest.mark.usefixtures("model_version")

OTHER = pictures.jpeg(pictures.phantom(seed=1))
DICOM = pictures.dicom(pictures.phantom(seed=2))


def answers(response: Any) -> list[tuple[str, str | None]]:
    return [(said["filename"], (said["error"] or {}).get("code")) for said in response.json()["images"]]


def test_the_files_of_a_zip_are_taken_one_by_one_and_called_by_both_names(api: APIClient) -> None:
    response = send(api, upload("ward.zip", packed({"a/1.png": PICTURE, "2.jpg": OTHER, "3": DICOM})), upload("4.png"))
    assert response.status_code == 202
    taken = ["ward.zip/a/1.png", "ward.zip/2.jpg", "ward.zip/3", "4.png"]
    assert answers(response) == [(name, None) for name in taken]
    images = list(Image.objects.order_by("position"))
    assert [image.filename for image in images] == taken
    assert [read_original(image) for image in images] == [PICTURE, OTHER, DICOM, PICTURE]


def test_the_form_takes_a_zip_as_well(browser: Client) -> None:
    response = browser.post(reverse("send"), {"files": [upload("ward.zip", packed({"1.png": PICTURE}))]})
    assert response.status_code == 302
    assert Image.objects.get().filename == "ward.zip/1.png"


def test_a_bad_entry_of_a_zip_spoils_no_good_one_and_its_answer_names_it(api: APIClient) -> None:
    parts = [
        Part(b"1.png", PICTURE),
        Part(b"2.txt", b"Dear colleague"),
        Part(b"3.png", PICTURE, flags=1),
        Part(b"4.zip", packed({"5.png": PICTURE}), method=0),
        Part(b"6.png", PICTURE, content=deflated(PICTURE)[:-9]),
        Part(b"../7.png", PICTURE),
        Part(b"8", b"", mode=0o120777),
        Part(b"9.png", b""),
    ]
    response = send(api, upload("ward.zip", built(*parts)))
    assert response.status_code == 202
    assert answers(response) == [
        ("ward.zip/1.png", None),
        ("ward.zip/2.txt", "unsupported_type"),
        ("ward.zip/3.png", "archive_encrypted"),
        ("ward.zip/4.zip", "archive_nested"),
        ("ward.zip/6.png", "damaged"),
        ("ward.zip/../7.png", "archive_unsafe_name"),
        ("ward.zip/8", "archive_unsafe_name"),
        ("ward.zip/9.png", "empty_file"),
    ]
    assert RejectedFile.objects.count() == 7
    assert len(stored_files()) == 1, "and nothing stays in quarantine"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (packed({"1.png": PICTURE, "bomb": bytes(20 * SMALL_BYTES)}), "archive_bomb"),
        (built(Part(b"1.png", PICTURE), Part(b"2", PICTURE[:500], content=deflated(PICTURE))), "archive_bomb"),
        (built(Part(b"1.png", PICTURE), Part(b"1.png", PICTURE), at={1: 0}), "archive_damaged"),
        (packed({f"{n}.png": b"" for n in range(201)}), "archive_too_large"),
        (packed({}), "archive_no_file"),
    ],
    ids=["a bomb", "a liar", "overlapping", "too many", "empty"],
)
def test_a_zip_that_is_a_trap_is_refused_as_a_whole_and_on_record(
    api: APIClient, clinician: User, data: bytes, code: str
) -> None:
    response = send(api, upload("trap.zip", data))
    assert response.status_code == 400
    assert answers(response) == [("trap.zip", code)]
    event = last_event(AuditAction.UPLOAD_REFUSED)
    assert (event.actor_id, event.detail) == (clinician.pk, {"rejected": [code]})
    assert not Image.objects.exists()
    assert stored_files() == []


def test_a_trap_beside_a_good_file_loses_the_good_one_nothing(api: APIClient) -> None:
    response = send(api, upload("trap.zip", packed({"b": bytes(20 * SMALL_BYTES)})), upload("1.png"))
    assert answers(response) == [("trap.zip", "archive_bomb"), ("1.png", None)]


def test_an_entry_larger_than_a_file_may_be_is_refused(api: APIClient, settings: LazySettings) -> None:
    settings.CXR_MAX_FILE_BYTES = len(PICTURE)
    response = send(api, upload("ward.zip", packed({"1.png": PICTURE, "2.dcm": DICOM})))
    assert answers(response) == [("ward.zip/1.png", None), ("ward.zip/2.dcm", "too_large")]


def test_a_zip_counts_as_all_that_it_holds(api: APIClient, settings: LazySettings) -> None:
    settings.CXR_MAX_FILES = 3
    response = send(api, upload("ward.zip", packed({f"{n}.png": PICTURE for n in range(4)})))
    assert response.status_code == 400
    assert "at most 3 are taken at once" in response.json()["detail"]


def test_the_name_of_a_zip_means_nothing(api: APIClient) -> None:
    response = send(api, upload("1.png", packed({"a": PICTURE})), upload("2.zip", PICTURE))
    assert answers(response) == [("1.png/a", None), ("2.zip", None)]


def test_sent_again_with_the_same_key_a_zip_adds_nothing(api: APIClient) -> None:
    data = packed({"1.png": PICTURE, "2.txt": b"no"})
    first, again = (
        api.post(
            "/api/v1/studies/", {"files": [upload("ward.zip", data)]}, format="multipart", HTTP_IDEMPOTENCY_KEY="k"
        )
        for _ in range(2)
    )
    assert first.json()["id"] == again.json()["id"]
    assert Image.objects.count() == 1
