"""An export on the whole site: asked for on the page, packed by the worker, fetched by its owner alone."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from zipfile import ZipFile

import httpx
import pytest

from tests import pictures
from tests.integration.site import Site, ended_study, post_study, wait_until

PASSWORD = "an exporter's long password"
EXPORTER, STRANGER = "exporter", "export-stranger"


@pytest.fixture(scope="module")
def people(running_site: Site) -> None:
    for name in (EXPORTER, STRANGER):
        running_site.add_clinician(name, PASSWORD)


@contextmanager
def signed_in(site: Site, name: str) -> Iterator[httpx.Client]:
    """A browser without scripts."""
    with httpx.Client(base_url=site.url, timeout=60, follow_redirects=True) as browser:
        said = {"login": name, "password": PASSWORD, "csrfmiddlewaretoken": token_on(browser.get("/sign-in/").text)}
        assert browser.post("/sign-in/", data=said).status_code == 200
        yield browser


def token_on(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found
    return found[1]


def files_on(browser: httpx.Client) -> list[str]:
    return re.findall(r'href="(/exports/[0-9a-f-]{36}/file/)"', browser.get("/exports/").text)


def test_cases_are_packed_by_the_worker_and_fetched_by_their_owner_alone(site: Site, people: None) -> None:
    with site.client(EXPORTER) as api:
        files = [(f"{seed}.png", pictures.png(pictures.phantom(seed=seed))) for seed in (1, 2)]
        study = ended_study(api, post_study(api, files, patient_id="EXPORT-1").json()["id"])
    with signed_in(site, EXPORTER) as browser, signed_in(site, STRANGER) as stranger:
        wish = {"query": "patient_id=EXPORT-1", "csrfmiddlewaretoken": token_on(browser.get("/exports/").text)}
        assert browser.post("/exports/", data=wish).status_code == 200
        [address] = wait_until(lambda: files_on(browser), 60, "the export is packed", every_seconds=0.5)
        assert stranger.get(address).status_code == 404
        fetched = browser.get(address)
    assert fetched.headers["content-type"] == "application/zip"
    with ZipFile(BytesIO(fetched.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert [name for name in names if name.endswith(".json")] == [f"studies/{study['id']}/study.json"]
    assert len([name for name in names if re.search(r"/image-\d\.png$", name)]) == 2
    [(kind,)] = site.rows("SELECT kind FROM diagnoses_notification WHERE about = %s", address.split("/")[2])
    assert kind == "export_done"
