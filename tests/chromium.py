"""`python -m tests.chromium`: find a Chromium for the browser tests, or install one, or say clearly why not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The path of a Chromium: the system's, else Playwright's own."""
    system = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if system:
        return system
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def main() -> int:
    """Exit status 0 once there is a Chromium."""
    if find():
        return 0
    _install()
    if find():
        return 0
    print(
        "The browser tests need Chromium, and it could be neither found nor installed. Install it (on Debian: "
        "`apt-get install chromium` as root) and run `make test` again.",
        file=sys.stderr,
    )
    return 1


def _install() -> None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=environment)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], env=environment)
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"])


if __name__ == "__main__":
    sys.exit(main())
