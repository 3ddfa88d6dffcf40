"""What a clinician does on the pages."""

import os
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from playwright.sync_api import FilePayload, Page, expect

from tests import pictures
from tests.integration.site import Site, wait_until
from tests.stage.screens import PASSWORD as SCREENS_PASSWORD
from tests.stage.screens import Screen

STUDY = re.compile(r"/studies/[0-9a-f-]{36}/$")
ALL_ANSWERED = "Every file has its answer."
ANSWERS = re.compile("^(Normal|Pneumonia|Cannot say)$")
"""What a badge may say of an image that was read. Which of them is for the model to say, and not for these tests."""

BLANK = pictures.png(np.full((300, 320), 128, np.uint8))
"""A picture that is refused for its quality."""


class Account(NamedTuple):
    """A name and a password."""

    name: str
    password: str


def sign_in(page: Page, account: Account, path: str = "/sign-in/") -> None:
    page.goto(path)
    page.get_by_label("User name").fill(account.name)
    page.get_by_label("Password").fill(account.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name=f"Account: {account.name}")).to_be_visible()
    # Its scripts have run, too: a test that sets the page's clock ahead before then sets nothing that waits for it.
    page.wait_for_load_state()


def sign_in_silently(page: Page, account: Account) -> None:
    """In whatever language the page is."""
    page.goto("/sign-in/")
    page.locator("#id_username").fill(account.name)
    page.locator("#id_password").fill(account.password)
    page.locator("form button.btn-primary").click()
    page.wait_for_selector("#account")


def visit(page: Page, screen: Screen, known: Mapping[str, str]) -> None:
    """Open a page, saying once more who it is where that is asked first, and is not the page that is wanted."""
    page.goto(screen.path.format_map(known))
    if "/account/again/" in page.url and screen.name != "is-it-you":
        page.locator("input[type=password]").fill(SCREENS_PASSWORD)
        page.locator("main form button.btn-primary").click()
        page.wait_for_url(f"**{screen.path}")
    page.wait_for_load_state("networkidle")


def choose(page: Page, files: Sequence[tuple[str, bytes]]) -> None:
    """Choose files on the send page, and wait until it has looked at them."""
    payloads = [FilePayload(name=name, mimeType="application/octet-stream", buffer=data) for name, data in files]
    expect(page.locator("#tray")).to_be_visible()
    page.get_by_label("Frontal chest radiographs").set_input_files(payloads)
    expect(page.locator("#tray")).to_have_attribute("data-looking", "0")


def send(page: Page, files: Sequence[tuple[str, bytes]], details: Mapping[str, str] | None = None) -> None:
    """Send files as a study, its details by their labels on the page, and be on the study's page."""
    page.goto("/send/")
    choose(page, files)
    page.get_by_label("All of one patient").evaluate_all("(modes) => modes.forEach((mode) => mode.click())")
    for label, value in (details or {}).items():
        # What was sent before is still on the page, folded.
        page.get_by_label(label).filter(visible=True).fill(value)
    before = _studies_on(page)
    button = page.get_by_role("button", name="Send")
    expect(button).to_be_enabled()
    button.press("Enter")  # what was just typed may be shown above it meanwhile, and move it away under a pointer
    expect(page.locator("#tray")).to_have_attribute("data-unsent", "0")
    [study] = wait_until(lambda: _studies_on(page) - before, 20, "the new study has its link")
    page.goto(study)
    page.wait_for_url(STUDY)


def _studies_on(page: Page) -> set[str]:
    links = page.get_by_role("link", name="Open the study")
    return set(links.evaluate_all("(links) => links.map((link) => link.getAttribute('href'))"))


@contextmanager
def reader_paused(site: Site) -> Iterator[None]:
    """As long as the context lasts nothing is read, so that a page can be seen waiting."""
    child = site.worker_child
    os.kill(child, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(child, signal.SIGCONT)
