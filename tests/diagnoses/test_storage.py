"""Files at rest, on a disk or in a bucket: private, under names of our own, whole or not there at all."""

import re
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from diagnoses import storage
from diagnoses.audit import user_actor
from diagnoses.models import Image, ModelVersion
from diagnoses.selectors.files import images_without_file
from diagnoses.selectors.originals import read_original
from diagnoses.services import sweeping
from diagnoses.services.submission import StudyDetails, submit_study
from diagnoses.services.sweeping import sweep_orphans
from tests.diagnoses.factory import PICTURE, sent

NAME = "originals/ab/abcdef"


@pytest.fixture(autouse=True, params=["file", "s3"])
def _each_kind_of_storage(request: pytest.FixtureRequest) -> None:
    if request.param == "s3":
        request.getfixturevalue("bucket")


def kept() -> list[str]:
    return sorted(file.name for file in storage.listing())


def test_the_sites_storage_gives_no_file_a_public_address() -> None:
    storage.write(NAME, b"data")
    with pytest.raises(ValueError, match="private"):
        default_storage.url(NAME)


def test_what_was_written_is_read_unchanged() -> None:
    data = bytes(range(256)) * 300
    storage.write(NAME, data)
    assert storage.read(NAME) == data


def test_a_second_write_replaces_the_first() -> None:
    storage.write(NAME, b"a longer first version")
    storage.write(NAME, b"second")
    assert storage.read(NAME) == b"second"
    assert kept() == [NAME]


def test_a_removed_file_is_gone_and_removing_it_again_is_no_error() -> None:
    storage.write(NAME, b"data")
    storage.remove(NAME)
    storage.remove(NAME)
    assert kept() == []


def test_a_missing_file_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        storage.read(NAME)


def test_a_name_for_a_sent_file_is_made_up_and_never_twice_the_same() -> None:
    names = {storage.new_original_name() for _ in range(100)}
    assert len(names) == 100
    assert all(re.fullmatch(r"originals/([0-9a-f]{2})/\1[0-9a-f]{30}", name) for name in names)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "originals/../../x"])
def test_storage_never_leaves_its_folder(name: str) -> None:
    with pytest.raises(SuspiciousFileOperation):
        storage.write(name, b"data")
    with pytest.raises(SuspiciousFileOperation):
        storage.read(name)
    with pytest.raises(SuspiciousFileOperation):
        storage.remove(name)


def test_the_listing_has_every_file_of_our_folders_with_the_time_it_was_written() -> None:
    before = timezone.now() - timedelta(seconds=1)  # an S3 server's times are whole seconds
    for name in ("originals/ab/1", "originals/cd/2", "heatmaps/ab/3", "elsewhere/ab/4", "originals-of-others/5"):
        storage.write(name, b"data")
    assert kept() == ["heatmaps/ab/3", "originals/ab/1", "originals/cd/2"]
    assert all(before <= file.modified_at <= timezone.now() for file in storage.listing())


def test_an_empty_storage_lists_nothing() -> None:
    assert kept() == []


def test_two_files_of_one_name_do_not_overwrite_each_other(clinician: User, model_version: ModelVersion) -> None:
    files = [sent("chest.png"), sent("chest.png")]
    submit_study(actor=user_actor(clinician), files=files, details=StudyDetails())
    submit_study(actor=user_actor(clinician), files=files, details=StudyDetails())
    assert len(kept()) == 4
    assert {read_original(image) for image in Image.objects.all()} == {PICTURE}


def test_a_sent_picture_is_shown(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    submit_study(actor=user_actor(clinician), files=[sent()], details=StudyDetails())
    image = Image.objects.get()
    answer = browser.get(reverse("picture", args=[image.pk]))
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
    storage.remove(image.stored_name)
    assert browser.get(reverse("picture", args=[image.pk])).status_code == 404


def test_orphans_are_removed_and_images_stay(
    clinician: User, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    submit_study(actor=user_actor(clinician), files=[sent()], details=StudyDetails())
    storage.write(NAME, b"of nobody")
    assert sweep_orphans() == []
    later = timezone.now() + timedelta(seconds=settings.CXR_ORPHAN_SECONDS + 2)
    monkeypatch.setattr(sweeping, "timezone", SimpleNamespace(now=lambda: later))
    monkeypatch.setattr(sweeping, "database_time", lambda: later)
    assert sweep_orphans() == [NAME]
    assert kept() == [Image.objects.get().stored_name]
    assert images_without_file() == []


def test_what_is_written_bit_by_bit_is_there_once_it_is_whole_and_read_bit_by_bit() -> None:
    name = storage.new_export_name()
    with storage.writing(name) as file:
        for _ in range(3):
            file.write(b"x" * 100_000)
        assert name not in kept()
    assert kept() == [name]
    with storage.reading(name) as file:
        pieces = list(iter(lambda: file.read(70_000), b""))
    assert [len(piece) for piece in pieces] == [70_000, 70_000, 70_000, 70_000, 20_000]
    assert b"".join(pieces) == b"x" * 300_000


def test_nothing_stays_of_what_was_begun_and_given_up() -> None:
    def give_up() -> None:
        with storage.writing(storage.new_export_name()) as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        give_up()
    assert kept() == []


def test_a_missing_file_is_an_os_error_bit_by_bit_too() -> None:
    with pytest.raises(FileNotFoundError), storage.reading("exports/ab/abc"):
        pytest.fail("there is none")
