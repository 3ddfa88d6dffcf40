"""Pictures and heatmaps as a browser gets them: drawn anew, locked up, never kept, hot where it is hot."""

import re
from typing import Any

import cv2
import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from numpy.typing import NDArray

from diagnoses import storage
from diagnoses.models import Image, Job, ModelVersion, Result, Study
from diagnoses.states import JobStatus
from tests import pictures
from tests.diagnoses.factory import HEIGHT, HOT_COLUMN, HOT_ROW, PICTURE, WIDTH, make_study

BLUE, GREEN, RED, ALPHA = range(4)


@pytest.fixture
def image(done_study: Study) -> Image:
    return Image.objects.get(study=done_study)


@pytest.fixture
def job(done_study: Study) -> Job:
    return Job.objects.get(image__study=done_study)


def pixels_of(response: Any) -> NDArray[np.uint8]:
    assert response.status_code == 200
    decoded = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    return np.asarray(decoded, np.uint8)


def picture(browser: Client, image: Image) -> Any:
    return browser.get(reverse("picture", args=[image.pk]))


def heatmap(browser: Client, job: Job, query: str = "") -> Any:
    return browser.get(reverse("heatmap", args=[job.pk]) + query)


def hot_pixel(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    return np.asarray(pixels[round((HOT_ROW + 0.5) * height / 7), round((HOT_COLUMN + 0.5) * width / 7)])


def test_a_picture_is_the_radiograph_as_a_grey_jpeg(browser: Client, image: Image) -> None:
    response = picture(browser, image)
    assert response["Content-Type"] == "image/jpeg"
    shown = pixels_of(response)
    original = cv2.imdecode(np.frombuffer(PICTURE, np.uint8), cv2.IMREAD_UNCHANGED)
    assert original is not None
    assert shown.shape == (HEIGHT, WIDTH)
    assert np.abs(shown.astype(int) - original.astype(int)).mean() < 5


def test_a_browser_never_gets_the_bytes_that_were_sent(browser: Client, image: Image) -> None:
    comment = b"<script>alert(1)</script>"
    jpeg = pictures.jpeg(pictures.phantom())
    storage.write(image.stored_name, jpeg[:2] + b"\xff\xfe" + bytes([0, len(comment) + 2]) + comment + jpeg[2:])
    response = picture(browser, image)
    assert response.status_code == 200
    assert comment not in response.content


@pytest.mark.parametrize("name", ["picture", "heatmap"])
def test_a_picture_is_locked_up_and_never_kept(browser: Client, image: Image, job: Job, name: str) -> None:
    response = picture(browser, image) if name == "picture" else heatmap(browser, job)
    assert response["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert re.fullmatch(
        r'inline; filename="(picture|heatmap)-[0-9a-f-]{36}\.(jpg|png)"', response["Content-Disposition"]
    )
    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]


def test_a_stored_file_has_no_address_not_even_for_its_owner(browser: Client, image: Image) -> None:
    for folder in ("", "media/", "static/", "static/../media/", "static/%2e%2e/media/"):
        assert browser.get(f"/{folder}{image.stored_name}").status_code == 404


def test_a_picture_whose_file_is_gone_is_not_found(browser: Client, image: Image) -> None:
    storage.remove(image.stored_name)
    assert picture(browser, image).status_code == 404


def test_a_picture_whose_file_is_damaged_is_not_found(browser: Client, image: Image) -> None:
    storage.write(image.stored_name, PICTURE[:100])
    assert picture(browser, image).status_code == 404


def test_a_heatmap_has_the_proportions_of_its_picture(browser: Client, job: Job) -> None:
    response = heatmap(browser, job)
    assert response["Content-Type"] == "image/png"
    height, width, channels = pixels_of(response).shape
    assert channels == 4
    assert width / height == pytest.approx(WIDTH / HEIGHT, rel=0.01)


def test_the_hottest_cell_is_red_and_opaque_and_the_cold_is_see_through(browser: Client, job: Job) -> None:
    pixels = pixels_of(heatmap(browser, job, "?palette=jet"))
    hot = hot_pixel(pixels).astype(int)
    assert hot[RED] > 100
    assert hot[RED] > hot[BLUE] + 80
    assert hot[ALPHA] == 255
    assert pixels[-1, 0, ALPHA] == 0


def test_the_other_palette_is_another_scale_of_the_same_map(browser: Client, job: Job) -> None:
    jet, viridis = (pixels_of(heatmap(browser, job, f"?palette={name}")) for name in ("jet", "viridis"))
    hot = hot_pixel(viridis).astype(int)
    assert hot[RED] > 200
    assert hot[GREEN] > 200
    assert hot[BLUE] < 100
    assert np.array_equal(jet[..., ALPHA], viridis[..., ALPHA])


def test_a_heatmap_is_in_jet_unless_asked_otherwise(browser: Client, job: Job) -> None:
    assert heatmap(browser, job).content == heatmap(browser, job, "?palette=jet").content


@pytest.mark.parametrize("palette", ["hot", "JET", "", "../jet", "jet\0"])
def test_an_unknown_palette_is_not_found(browser: Client, job: Job, palette: str) -> None:
    url = reverse("heatmap", args=[job.pk])
    assert browser.get(url, {"palette": palette}).status_code == 404


@pytest.mark.parametrize("stored", [b"", b"no picture at all"])
def test_a_heatmap_that_is_missing_or_damaged_is_not_found(browser: Client, job: Job, stored: bytes) -> None:
    Result.objects.update(heatmap=stored)
    assert heatmap(browser, job).status_code == 404


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.DONE])
def test_a_job_without_an_answer_has_no_heatmap(
    browser: Client, clinician: User, model_version: ModelVersion, status: JobStatus
) -> None:
    make_study(clinician, model_version, status)
    assert heatmap(browser, Job.objects.get()).status_code == 404


def test_a_picture_that_waits_is_shown_all_the_same(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    make_study(clinician, model_version, JobStatus.QUEUED)
    assert picture(browser, Image.objects.get()).status_code == 200


@pytest.mark.parametrize("palette", ["jet", "viridis"])
def test_a_scale_runs_from_cold_on_the_left_to_hot_on_the_right(palette: str) -> None:
    response = Client().get(reverse("colour_bar", args=[palette]))
    assert response["Content-Type"] == "image/png"
    bar = pixels_of(response).astype(int)
    assert bar.shape == (1, 256, 3)
    assert bar[0, 0, BLUE] > bar[0, 0, RED]
    assert bar[0, -1, RED] > bar[0, -1, BLUE]


def test_a_scale_is_the_same_for_all_and_may_be_kept() -> None:
    response = Client().get(reverse("colour_bar", args=["jet"]))
    assert "public" in response["Cache-Control"]
    assert not response.cookies


@pytest.mark.parametrize("palette", ["hot", "JET", "jet.png", "..%2Fjet"])
def test_a_scale_of_an_unknown_palette_is_not_found(palette: str) -> None:
    assert Client().get(f"/palettes/{palette}.png").status_code == 404
