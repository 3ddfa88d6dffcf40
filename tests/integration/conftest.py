"""What the integration tests stand on."""

from collections.abc import Iterator

import httpx
import pytest

from tests import site_fixture
from tests.integration.site import Site


def pytest_configure(config: pytest.Config) -> None:
    site_fixture.register(config)


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    """The API in the hands of the site's first clinician."""
    with site.client() as client:
        yield client
