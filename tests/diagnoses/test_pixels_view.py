"""The values that the viewer draws from: at full depth, locked up, on record, and nobody else's."""

import gzip
import json
from typing import Any

import cv2
import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from numpy.typing import NDArray

from diagnoses import storage
from diagnoses.models import AuditEvent, Image, Job, ModelVersion, Result, Study
from diagnoses.models.audit import AuditAction
from diagnoses.states import JobStatus
from tests import pictures
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import HEATMAP, HEIGHT, PICTURE, WIDTH, make_job, make_study

DEEP = np.asarray(np.random.default_rng(1).integers(0, 4096, (120, 160)), np.uint16)


@pytest.fixture
def image(done_study: Study) -> Image:
    return Image.objects.get(study=done_study)


def fetch(browser: Client, image: Image, **headers: str) -> Any:
    return browser.get(reverse("pixels", args=[image.pk]), headers=headers)


def unpacked(body: bytes) -> tuple[dict[str, Any], NDArray[Any]]:
    line, _, values = body.partition(b"\n")
    facts = json.loads(line)
    pixels = np.frombuffer(values, np.dtype(facts["type"]).newbyteorder("<"))
    return facts, pixels.reshape(facts["rows"], facts["columns"])


def test_an_eight_bit_picture_comes_as_it_was_sent(browser: Client, image: Image) -> None:
    response = fetch(browser, image)
    assert response.status_code == 200
    facts, pixels = unpacked(response.content)
    assert (facts["type"], facts["rows"], facts["columns"]) == ("uint8", HEIGHT, WIDTH)
    np.testing.assert_array_equal(pixels, cv2.imdecode(np.frombuffer(PICTURE, np.uint8), cv2.IMREAD_UNCHANGED))


def test_a_dicom_file_keeps_its_depth(browser: Client, image: Image) -> None:
    storage.write(image.stored_name, pictures.dicom(DEEP, ImagerPixelSpacing=[0.2, 0.2]))
    facts, pixels = unpacked(fetch(browser, image).content)
    assert facts["type"] == "uint16"
    assert facts["spacing"] == {"down": 0.2, "across": 0.2, "place": "detector"}
    np.testing.assert_array_equal(pixels, DEEP - DEEP.min())


def test_a_negative_comes_with_its_bones_bright(browser: Client, image: Image) -> None:
    storage.write(image.stored_name, pictures.dicom(DEEP, PhotometricInterpretation="MONOCHROME1"))
    facts, pixels = unpacked(fetch(browser, image).content)
    assert facts["photometric"] == "MONOCHROME1"
    np.testing.assert_array_equal(pixels, DEEP.max() - DEEP)


def test_what_packs_well_is_packed_for_who_takes_it(browser: Client, image: Image) -> None:
    storage.write(image.stored_name, pictures.dicom(np.tile(np.arange(1024, dtype=np.uint16), (120, 1))))
    plain, packed = fetch(browser, image), fetch(browser, image, accept_encoding="gzip, br")
    assert "Content-Encoding" not in plain
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert int(packed["X-Content-Bytes"]) == len(plain.content)
    assert "Accept-Encoding" in packed["Vary"]


def test_what_packs_badly_is_sent_as_it_is(browser: Client, image: Image) -> None:
    noise = np.asarray(np.random.default_rng(1).integers(0, 65536, (200, 200)), np.uint16)
    storage.write(image.stored_name, pictures.dicom(noise))
    assert "Content-Encoding" not in fetch(browser, image, accept_encoding="gzip")


def test_the_values_are_locked_up_and_never_kept(browser: Client, image: Image) -> None:
    response = fetch(browser, image)
    assert response["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert {"no-store", "private"} <= set(response["Cache-Control"].replace(",", " ").split())


def test_looking_at_the_values_is_looking_at_the_picture(browser: Client, image: Image) -> None:
    fetch(browser, image)
    event = AuditEvent.objects.get(action=AuditAction.PICTURE_VIEWED)
    assert (event.object_id, event.actor_name) == (str(image.pk), "clinician")


@pytest.mark.parametrize("address", ["pixels", "heatmap_cells"])
def test_an_outsider_gets_neither_values_nor_heatmap(outsider: User, done_study: Study, address: str) -> None:
    target = Image.objects.get() if address == "pixels" else Job.objects.get()
    browser = browser_of(outsider)
    before = set(AuditEvent.objects.values_list("pk", flat=True))
    assert browser.get(reverse(address, args=[target.pk])).status_code == 404
    [event] = AuditEvent.objects.exclude(pk__in=before)
    assert event.action == AuditAction.ACCESS_DENIED


@pytest.mark.parametrize("data", [PICTURE[:100], pictures.dicom(DEEP)[:-500]], ids=["PNG", "DICOM"])
def test_a_damaged_file_is_not_found(browser: Client, image: Image, data: bytes) -> None:
    storage.write(image.stored_name, data)
    assert fetch(browser, image).status_code == 404


def test_a_file_that_is_gone_is_not_found(browser: Client, image: Image) -> None:
    storage.remove(image.stored_name)
    assert fetch(browser, image).status_code == 404


def test_the_viewers_heatmap_is_the_map_as_it_was_made(browser: Client, done_study: Study) -> None:
    response = browser.get(reverse("heatmap_cells", args=[Job.objects.get().pk]))
    assert response["Content-Type"] == "image/png"
    assert "no-store" in response["Cache-Control"]
    cells, made = (
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) for data in (response.content, HEATMAP)
    )
    np.testing.assert_array_equal(cells, made)
    assert AuditEvent.objects.filter(action=AuditAction.HEATMAP_VIEWED).count() == 1


@pytest.mark.parametrize("stored", [b"", b"no picture at all"])
def test_a_map_that_is_missing_or_damaged_is_not_found(browser: Client, done_study: Study, stored: bytes) -> None:
    Result.objects.update(heatmap=stored)
    assert browser.get(reverse("heatmap_cells", args=[Job.objects.get().pk])).status_code == 404


def test_a_page_offers_the_patients_earlier_pictures_and_nobody_elses(
    browser: Client, clinician: User, outsider: User, model_version: ModelVersion
) -> None:
    first = make_study(clinician, model_version, JobStatus.DONE, patient_id="P-7")
    other_patient = make_study(clinician, model_version, JobStatus.DONE, patient_id="P-8")
    others = make_study(outsider, model_version, JobStatus.DONE, patient_id="P-7")
    latest = make_study(clinician, model_version, JobStatus.DONE, patient_id="P-7")
    page = browser.get(reverse("study", args=[latest.pk])).content.decode()
    pixels_of = {study: reverse("pixels", args=[study.images.get().pk]) for study in (first, other_patient, others)}
    assert f'data-pixels="{pixels_of[first]}"' in page
    assert pixels_of[other_patient] not in page
    assert pixels_of[others] not in page
    before = browser.get(reverse("study", args=[first.pk])).content.decode()
    assert reverse("pixels", args=[latest.images.get().pk]) not in before


def test_studies_without_a_patient_id_are_never_taken_for_one_patients(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    first = make_study(clinician, model_version, JobStatus.DONE)
    latest = make_study(clinician, model_version)
    make_job(latest, model_version, JobStatus.DONE)
    page = browser.get(reverse("study", args=[latest.pk])).content.decode()
    assert reverse("pixels", args=[first.images.get().pk]) not in page
