"""A pytest plugin: one whole site for the integration and browser tests together.

Each of their conftests registers it. Imported as a fixture by both, the site would start twice.
"""

import fcntl
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SHIPPED_MODEL
from tests.integration.site import ROOT, Site, clean_environment
from workers.inference.card import CARD_NAME

LEASE_SECONDS = "3"
"""Short, so that what a killed worker held is taken up again soon."""


_KEYS = "1:YSBrZXkgdGhhdCBzZWFscyBmb3IgdGVzdHMgYWxvbmU=,index:YSBrZXkgdGhhdCBmaW5kcyBmb3IgdGVzdHMgYWxvbmU="


def register(config: pytest.Config) -> None:
    """Make the fixtures known, once."""
    if not config.pluginmanager.has_plugin(__name__):
        config.pluginmanager.register(sys.modules[__name__], __name__)


@pytest.fixture(scope="session")
def static_files() -> None:
    """What `make run` sees to before each start, so that the pages are those of the code as it is now."""
    needed = {
        "CXR_SECRET_KEY": "k" * 50,
        "CXR_DATA_KEYS": _KEYS,
        "DATABASE_URL": "postgresql://none/none",
        "REDIS_URL": "redis://none",
    }
    command = [sys.executable, str(ROOT / "manage.py"), "collectstatic", "--noinput", "--verbosity", "0"]
    # Where tests run in several processes, each of them comes by here.
    with (ROOT / "var" / "static.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(command, env=clean_environment(CXR_ENV_FILE="", **needed), check=True)


@pytest.fixture(scope="session")
def running_site(static_files: None) -> Iterator[Site]:
    """The one site, in whatever state the test before left it."""
    # Not pytest's own folder: its path may be too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="cxr-site-"))
    site = Site(folder, CXR_LEASE_SECONDS=LEASE_SECONDS, CXR_MODELS_DIR=str(_two_models(folder / "models")))
    try:
        yield site.start()
    finally:
        site.destroy()
        shutil.rmtree(folder)


def _two_models(folder: Path) -> Path:
    """The shipped model, and the same network under another name, so that there is a second opinion to ask for."""
    shutil.copytree(SHIPPED_MODEL, folder / "shipped")
    second = shutil.copytree(SHIPPED_MODEL, folder / "second")
    card = json.loads((second / CARD_NAME).read_text()) | {"name": "second_opinion", "version": "1.0.0"}
    (second / CARD_NAME).write_text(json.dumps(card))
    return folder


@pytest.fixture
def site(running_site: Site) -> Site:
    """The one site, whole."""
    running_site.wait_until_ready()
    return running_site
