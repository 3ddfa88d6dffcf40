"""Where sent files wait: under names of ours, for us alone, and no longer than a request."""

import gc
import os
import stat
import time
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import pytest
from django.conf import LazySettings
from django.conf import settings as site
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from diagnoses import storage
from diagnoses.imaging.errors import ImageFault
from diagnoses.management.commands import scheduler
from diagnoses.models import Image, Study
from diagnoses.roles import Role
from diagnoses.selectors.originals import read_original
from diagnoses.storage import quarantine
from diagnoses.storage.quarantine import Parcel
from diagnoses.views.receiving import QuarantineUploadHandler
from tests import pictures
from tests.conftest import make_user
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import PICTURE
from tests.diagnoses.sending import send, upload
from tests.threads import in_a_thread

DICOM = pictures.dicom(pictures.phantom())


def lying() -> list[Path]:
    return list(quarantine.folder().iterdir())


def parcel_of(data: bytes, piece: int = 1000) -> Parcel:
    parcel = Parcel()
    for place in range(0, len(data), piece):
        parcel.write(data[place : place + piece])
    parcel.finish()
    return parcel


def test_a_file_lies_in_a_folder_and_under_a_name_that_are_ours_alone() -> None:
    parcel = parcel_of(PICTURE)
    [path] = lying()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(path.name) == 32
    assert parcel.read() == PICTURE
    assert parcel.sha256 == sha256(PICTURE).hexdigest()
    assert path.parent.parent == Path(site.MEDIA_ROOT), "on the disk of what is kept"


@pytest.mark.parametrize("piece", [1, 7, 131, 132, 133, 100_000])
@pytest.mark.parametrize("data", [PICTURE, DICOM, b"", b"PK\3\4" + bytes(200)], ids=["PNG", "DICOM", "nothing", "ZIP"])
def test_a_file_of_a_kind_that_is_taken_is_kept_however_it_comes(data: bytes, piece: int) -> None:
    parcel = parcel_of(data, piece)
    assert parcel.refusal is None
    assert parcel.read() == data


@pytest.mark.parametrize("data", [b"MZ" + bytes(300), b"x", b"GIF89a" * 40, b"\0" * 128 + b"DICX"], ids=range(4))
def test_a_file_of_no_kind_that_is_taken_is_given_up_by_its_first_bytes(data: bytes) -> None:
    parcel = Parcel()
    parcel.write(data[:132])
    parcel.write(data[132:])
    parcel.finish()
    assert parcel.refusal
    assert parcel.refusal.fault is ImageFault.UNSUPPORTED_TYPE
    assert lying() == []
    assert (parcel.size, parcel.sha256) == (len(data), sha256(data).hexdigest())


def test_a_file_is_given_up_as_soon_as_it_is_too_large(settings: LazySettings) -> None:
    settings.CXR_MAX_FILE_BYTES = 1000
    parcel = Parcel()
    parcel.write(PICTURE[:1000])
    assert len(lying()) == 1
    parcel.write(PICTURE[1000:1001])
    assert lying() == []
    assert parcel.refusal
    assert parcel.refusal.fault is ImageFault.TOO_LARGE


def test_a_disk_that_fails_is_told_to_who_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(BytesIO):
        def write(self, piece: Any) -> int:
            raise OSError(28, "no space")

    monkeypatch.setattr(quarantine, "_new_file", lambda path: Full())
    parcel = parcel_of(PICTURE)
    with pytest.raises(OSError, match="No such file"):
        parcel.read()


def test_nothing_stays_of_a_file_that_nobody_holds_any_more() -> None:
    parcel = Parcel()
    parcel.write(PICTURE)
    assert len(lying()) == 1
    del parcel
    gc.collect()
    assert lying() == []


@pytest.mark.usefixtures("model_version")
def test_nothing_stays_in_quarantine_after_a_request(api: APIClient, browser: Client) -> None:
    assert send(api, upload(), upload("2.txt", b"Dear colleague")).status_code == 202
    assert browser.post(reverse("send"), {"files": [upload(), upload("2", b"")]}).status_code == 302
    assert lying() == []


@pytest.mark.usefixtures("model_version")
def test_the_senders_name_for_a_file_opens_nothing(api: APIClient) -> None:
    assert send(api, upload("../../../etc/cron.d/x.png")).status_code == 202
    image = Image.objects.get()
    assert image.filename == "x.png"
    assert image.stored_name.startswith("originals/")


def files_begun(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    begun: list[Path] = []
    real = quarantine._new_file

    def new_file(path: Path) -> IO[bytes]:
        begun.append(path)
        return real(path)

    monkeypatch.setattr(quarantine, "_new_file", new_file)
    return begun


def test_the_outsider_without_an_account_has_nothing_written_down(
    client: Client, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    begun = files_begun(monkeypatch)
    assert client.post(reverse("send"), {"files": [upload()]}).status_code == 302
    assert client.post(reverse("sign_in"), {"file": upload()}).status_code == 200
    assert client.post("/api/v1/studies/", {"files": [upload()]}).status_code == 401
    assert begun == []


def test_the_outsider_who_may_not_send_has_nothing_written_down(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = files_begun(monkeypatch)
    reader = browser_of(make_user("auditor", Role.AUDITOR))
    assert reader.post(reverse("send"), {"files": [upload()]}).status_code == 403
    assert reader.post(reverse("send_file"), {"file": upload()}).status_code == 403
    assert begun == []
    assert not Study.objects.exists()


def test_an_upload_that_breaks_off_leaves_nothing(clinician: User) -> None:
    class Request:
        user = clinician

    handler = QuarantineUploadHandler(Request())  # type: ignore[arg-type]
    handler.new_file("files", "1.png", "image/png", None)
    handler.receive_data_chunk(PICTURE[:100], 0)
    assert len(lying()) == 1
    handler.upload_interrupted()
    assert lying() == []


def leave(name: str, age_seconds: float) -> Path:
    path = quarantine.folder() / name
    path.write_bytes(b"left by a crash")
    at = time.time() - age_seconds
    os.utime(path, (at, at))
    return path


@pytest.mark.parametrize("by", ["the scheduler", "the command"])
def test_what_a_crash_left_in_quarantine_is_swept_and_nothing_younger(
    db: None, settings: LazySettings, by: str, capsys: Any
) -> None:
    settings.CXR_ORPHAN_SECONDS = 600
    old, young = leave("a" * 32, 700), leave("b" * 32, 500)
    if by == "the scheduler":
        in_a_thread(scheduler._sweep)
    else:
        call_command("sweep_files", "--dry-run")
        assert old.exists()
        call_command("sweep_files")
    assert not old.exists()
    assert young.exists()


def test_what_waits_in_quarantine_is_no_file_of_the_storage() -> None:
    parcel = parcel_of(PICTURE)
    assert list(storage.listing()) == []
    parcel.remove()
    parcel.remove()


@pytest.mark.usefixtures("model_version")
def test_what_is_kept_of_a_dicom_file_has_no_preamble_and_the_hash_of_what_is_kept(api: APIClient) -> None:
    odd = b"made by the ward's own program".ljust(128, b"\0") + DICOM[128:]
    assert send(api, upload("1.dcm", odd)).status_code == 202
    image = Image.objects.get()
    assert read_original(image) == DICOM
    assert (image.sha256, image.byte_size) == (sha256(DICOM).hexdigest(), len(DICOM))


@pytest.mark.usefixtures("model_version")
def test_a_key_stands_for_the_bytes_that_were_sent_and_not_for_those_that_are_kept(api: APIClient) -> None:
    def send_with_key(data: bytes) -> Any:
        files = {"files": [upload("1.dcm", data)]}
        return api.post("/api/v1/studies/", files, format="multipart", HTTP_IDEMPOTENCY_KEY="k")

    odd = b"made by the ward's own program".ljust(128, b"\0") + DICOM[128:]
    assert send_with_key(odd).status_code == 202
    assert send_with_key(odd).status_code == 202
    assert send_with_key(DICOM).status_code == 409
    assert Image.objects.count() == 1
