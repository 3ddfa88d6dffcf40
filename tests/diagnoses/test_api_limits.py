"""What one token, one user and all of them together may ask of the API at once; and errors that repeat nothing."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.exceptions import Throttled
from rest_framework.test import APIClient

from diagnoses.api import limits
from diagnoses.api.limits import Places
from diagnoses.models import Study
from tests.conftest import api_of


def test_more_requests_a_minute_than_the_site_allows_are_429_with_a_time(
    api: APIClient, clinician: User, settings: LazySettings
) -> None:
    settings.CXR_API_PER_MINUTE = 3
    assert [api.get("/api/v1/models/").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert 0 < int(api.get("/api/v1/models/")["Retry-After"]) <= 60
    # Each token has its own share.
    assert api_of(clinician).get("/api/v1/models/").status_code == 200


def test_a_place_is_free_again_however_it_was_left() -> None:
    places = Places(1, 2)
    with pytest.raises(KeyError), places.taken("a"):
        raise KeyError
    with places.taken("a"), pytest.raises(Throttled), places.taken("a"):
        pass
    with places.taken("a"), places.taken("b"), pytest.raises(Throttled), places.taken("c"):
        pass
    with places.taken("c"):
        pass


def test_a_user_who_waits_too_often_at_once_is_told_to_come_again(
    api: APIClient, clinician: User, outsider: User, done_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "waits", Places(1, 10))
    address = f"/api/v1/studies/{done_study.pk}/"
    with limits.waits.taken(clinician.pk):
        response = api.get(address, {"wait": 1})
        assert response.status_code == 429
        assert int(response["Retry-After"]) == 5
        assert set(response.json()) == {"detail"}
        assert api.get(address).status_code == 200, "who does not wait needs no place"
        assert api_of(outsider).get(address, {"wait": 1}).status_code == 404, "others have places of their own"
    assert api.get(address, {"wait": 1}).status_code == 200


def test_a_process_has_places_for_ten_users_who_wait_as_often_as_they_may() -> None:
    assert limits.WAITS_OF_ALL == 10 * limits.WAITS_OF_A_USER


@pytest.mark.parametrize("name", ["patient_sex", "patient_birth_date", "patient_id", "accession_number", "urgent"])
def test_an_error_repeats_nothing_of_what_was_said_of_a_patient(api: APIClient, name: str) -> None:
    said: dict[str, Any] = {name: "Patient-4711" * 10, "files": [SimpleUploadedFile("a.png", b"x")]}
    response = api.post("/api/v1/studies/", said, format="multipart")
    assert response.status_code == 400
    assert name in response.json()
    assert "Patient-4711" not in response.content.decode()
