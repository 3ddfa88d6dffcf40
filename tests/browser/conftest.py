"""A real Chromium, watched: whatever a page logs as an error, or asks of another origin, fails the test."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import data_store
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests import pictures, site_fixture
from tests.browser.chromium_options import launch
from tests.browser.hands import Account, sign_in
from tests.integration.site import Site, ended_study, post_study


def pytest_configure(config: pytest.Config) -> None:
    site_fixture.register(config)


@dataclass
class Watch:
    """What the pages of a test did that they should not do."""

    origin: str
    strange: list[str] = field(default_factory=list)
    _expected: list[str] = field(default_factory=list)

    def expect(self, pattern: str) -> None:
        """Do not mind errors like this one: the test brings them about."""
        self._expected.append(pattern)

    def follow(self, page: Page) -> None:
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.strange.append(f"error in {page.url}: {error}"))
        page.on("request", lambda request: self._on_request(request.url))

    def check(self) -> None:
        left = [line for line in self.strange if not any(re.search(pattern, line) for pattern in self._expected)]
        assert not left, "\n".join(left)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.strange.append(f"{message.type} logged: {message.text} ({message.location['url']})")

    def _on_request(self, url: str) -> None:
        if not url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.strange.append(f"asked another origin: {url}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Of the module and no longer: as long as Playwright's loop runs, Django's ORM refuses to work in this thread.
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


OpenPage = Callable[..., AbstractContextManager[Page]]


@pytest.fixture
def watch(site: Site) -> Iterator[Watch]:
    watch = Watch(site.url)
    yield watch
    watch.check()


@pytest.fixture
def open_page(browser: Browser, site: Site, watch: Watch) -> OpenPage:
    """Opens a page in a fresh profile, with the options of a Playwright context."""

    @contextmanager
    def open_(**options: Any) -> Iterator[Page]:
        context = browser.new_context(base_url=site.url, **options)
        context.set_default_timeout(20_000)
        page = context.new_page()
        watch.follow(page)
        yield page
        context.close()

    return open_


@pytest.fixture
def page(open_page: OpenPage) -> Iterator[Page]:
    """A page, nobody signed in."""
    with open_page() as page:
        yield page


@pytest.fixture(scope="session")
def clinician(running_site: Site) -> Account:
    return _account(running_site, "browser-clinician")


@pytest.fixture(scope="session")
def outsider(running_site: Site) -> Account:
    """Another clinician, who sees nothing of the first one's."""
    return _account(running_site, "browser-outsider")


@pytest.fixture
def signed_in(page: Page, clinician: Account) -> Page:
    """A page in the clinician's hands."""
    sign_in(page, clinician)
    return page


@dataclass(frozen=True)
class ReadStudy:
    """A study of one radiograph with its answer. The model looks at one place of it in particular."""

    path: str
    patient: str
    label: str
    badge: str
    job_id: str


@pytest.fixture(scope="session")
def read_study(running_site: Site, clinician: Account) -> ReadStudy:
    running_site.wait_until_ready()
    data = (Path(data_store.__file__).parent / "data" / "RG1_J2KI.dcm").read_bytes()
    name = "a-very-long-name-without-a-place-to-break-it-" * 4 + ".dcm"
    with running_site.client(clinician.name) as client:
        answer = post_study(client, [(name, data)], patient_id="READ-1", clinical_note="Cough, \nfever.")
        study = ended_study(client, answer.json()["id"])
    result = study["images"][0]["result"]
    [(job_id,)] = running_site.rows("SELECT id::text FROM diagnoses_job WHERE image_id = %s", study["images"][0]["id"])
    badge = "Cannot say" if result["indeterminate"] else result["label"].capitalize()
    return ReadStudy(f"/studies/{study['id']}/", study["patient_id"], result["label"], badge, job_id)


@pytest.fixture(scope="session")
def png() -> bytes:
    return pictures.png(pictures.phantom())


def _account(site: Site, name: str) -> Account:
    account = Account(name, f"{name} has a long password")
    site.add_clinician(*account)
    return account
