"""How Chromium is started, by tests and for screenshots."""

import os

from playwright.sync_api import Browser, Playwright

from tests.chromium import find

_ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium, or Playwright's own."""
    path = find()
    assert path, "there is no Chromium; `python -m tests.chromium` installs one"
    arguments = [*_ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else _ARGUMENTS
    return playwright.chromium.launch(executable_path=path, args=arguments)
