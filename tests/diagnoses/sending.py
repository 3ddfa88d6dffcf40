"""Sending by API, and asking for a study, as the tests of both do."""

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from tests.diagnoses.factory import PICTURE

STUDIES = "/api/v1/studies/"


def upload(name: str = "chest.png", data: bytes = PICTURE) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def send(api: APIClient, *files: SimpleUploadedFile, **fields: str) -> Any:
    return api.post(STUDIES, {"files": list(files), **fields}, format="multipart")


def study_of(api: APIClient, study_id: Any) -> dict[str, Any]:
    response = api.get(f"{STUDIES}{study_id}/")
    assert response.status_code == 200
    return dict(response.json())
