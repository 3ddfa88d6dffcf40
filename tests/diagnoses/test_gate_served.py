"""What the site serves of files: drawn anew, under names of ours, and so that no browser makes anything else of it."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import AsyncClient, Client
from django.urls import reverse
from rest_framework.test import APIClient

from diagnoses.models import Image, Job, ModelVersion
from diagnoses.selectors.originals import read_original
from diagnoses.states import JobStatus
from tests import pictures
from tests.diagnoses.factory import make_export, make_job, make_study
from tests.diagnoses.sending import send, upload

SCRIPT = b"<script>alert(1)</script>"
SANDBOX = "default-src 'none'; frame-ancestors 'none'; sandbox"


@pytest.fixture
def read(clinician: User, model_version: ModelVersion) -> Job:
    return make_job(make_study(clinician, model_version), model_version, JobStatus.DONE)


def check_headers(response: Any, policy: str = SANDBOX) -> None:
    assert response.status_code == 200
    assert response["X-Content-Type-Options"] == "nosniff"
    assert {"private", "no-store"} <= set(response["Cache-Control"].split(", "))
    assert policy in response["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["picture", "pixels", "heatmap", "heatmap_cells", "api_picture", "api_heatmap"])
def test_a_picture_is_served_so_that_it_is_nothing_else(name: str, read: Job, browser: Client, api: APIClient) -> None:
    key = read.image_id if name in ("picture", "pixels", "api_picture") else read.pk
    client: Any = api if name.startswith("api") else browser
    check_headers(client.get(reverse(name, args=[key])))


def test_an_export_is_served_so_that_it_is_nothing_else(browser: Client, clinician: User) -> None:
    address = reverse("export_file", args=[make_export(clinician, query="<script>").pk])

    async def ask() -> Any:
        client = AsyncClient()
        client.cookies = browser.cookies
        response: Any = await client.get(address)
        assert [part async for part in response]
        return response

    response = async_to_sync(ask)()
    check_headers(response)
    assert response["Content-Disposition"].startswith('attachment; filename="cases-')
    assert "<" not in response["Content-Disposition"]


@pytest.mark.parametrize("name", ["report_pdf", "api_report_pdf"])
def test_a_report_is_served_with_nothing_that_could_run(name: str, read: Job, browser: Client, api: APIClient) -> None:
    """Without the sandbox, in which browsers show no PDF; it is made here and holds nothing of what was sent."""
    client: Any = api if name.startswith("api") else browser
    check_headers(client.get(reverse(name, args=[read.image.study_id])), policy="default-src 'none'")


@pytest.mark.usefixtures("model_version")
@pytest.mark.parametrize("name", ["picture", "pixels"])
def test_nothing_of_what_was_hidden_in_a_file_is_served(name: str, api: APIClient, browser: Client) -> None:
    png, jpeg = pictures.png(pictures.phantom()), pictures.jpeg(pictures.phantom())
    hiding = {
        "tail.png": png + SCRIPT,
        "tail.jpg": jpeg + SCRIPT,
        "comment.jpg": jpeg[:2] + b"\xff\xfe\0" + bytes([len(SCRIPT) + 2]) + SCRIPT + jpeg[2:],
        "preamble.dcm": b"see " + SCRIPT + pictures.dicom(pictures.phantom())[4 + len(SCRIPT) :],
        f"{SCRIPT.decode().replace('/', '')}.png": png,
    }
    assert send(api, *(upload(name, data) for name, data in hiding.items())).status_code == 202
    images = list(Image.objects.all())
    assert len(images) == len(hiding)
    for image in images:
        response = browser.get(reverse(name, args=[image.pk]))
        assert response.status_code == 200
        assert b"script" not in response.content
    assert sum(SCRIPT in read_original(image) for image in images) == 1, "the comment, within the picture"
