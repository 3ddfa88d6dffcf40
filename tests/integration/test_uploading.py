"""Files of one study that arrive at once, and each more than once."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx

from tests import pictures
from tests.integration.site import Site

AT_ONCE = 6


@contextmanager
def signed_in(site: Site) -> Iterator[httpx.Client]:
    """The pages in the clinician's hands."""
    with httpx.Client(base_url=site.url, timeout=60) as client:
        client.get("/sign-in/")
        credentials = {"login": "clinician", "password": site.passwords["clinician"]}
        answer = client.post("/sign-in/", data=credentials, headers=token(client))
        assert answer.status_code == 302
        yield client


def token(client: httpx.Client) -> dict[str, str]:
    return {"X-CSRFToken": client.cookies["csrftoken"], "Referer": str(client.base_url)}


def test_first_files_that_come_at_once_and_twice_make_one_study_with_each_of_them_once(site: Site) -> None:
    [(user,)] = site.rows("SELECT id FROM auth_user WHERE username = 'clinician'")
    said = {"sender": str(user), "study_key": str(uuid.uuid4()), "batch": str(uuid.uuid4())}
    sendings = [(str(uuid.uuid4()), pictures.png(pictures.phantom(seed=seed))) for seed in range(AT_ONCE)] * 2
    with signed_in(site) as client:

        def send(sending: tuple[str, bytes]) -> dict[str, Any]:
            key, data = sending
            answer = client.post(
                "/send/files/",
                data=said | {"upload_key": key, "filename": f"{key}.png"},
                files={"file": ("file", data)},
                headers=token(client),
            )
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        with ThreadPoolExecutor(len(sendings)) as threads:
            answers = list(threads.map(send, sendings))
    assert len({answer["study"] for answer in answers}) == 1
    images = site.rows(
        "SELECT position, upload_key::text, (SELECT count(*) FROM diagnoses_job WHERE image_id = diagnoses_image.id) "
        "FROM diagnoses_image JOIN diagnoses_study ON study_id = diagnoses_study.id WHERE batch = %s ORDER BY position",
        said["batch"],
    )
    assert [position for position, _, _ in images] == list(range(AT_ONCE))
    assert {key for _, key, _ in images} == {key for key, _ in sendings}
    assert {jobs for _, _, jobs in images} == {1}
