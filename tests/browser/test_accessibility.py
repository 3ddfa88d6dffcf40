"""axe-core finds nothing on any page, by day and by night (WCAG 2.2, levels A and AA)."""

from collections.abc import Mapping
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, Watch
from tests.browser.hands import Account, sign_in_silently, visit
from tests.integration.site import Site
from tests.stage.screens import PASSWORD, SCREENS
from tests.stage.site import furnish

_ALL = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "resultTypes": ["violations"],
}
_OF_COLOURS = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
    "resultTypes": ["violations"],
}
"""The theme changes colours and nothing else."""


@pytest.fixture(scope="module")
def known(running_site: Site) -> Mapping[str, str]:
    """What the paths name, on a site with made-up cases."""
    running_site.wait_until_ready()
    return furnish(running_site)


def violations(page: Page, rules: dict[str, Any]) -> list[str]:
    found = Axe().run(page, options=rules).response["violations"]
    return [
        f"{page.url}: {rule['id']} ({rule['help']}): {node['html'][:200]} {node['failureSummary'][:300]}"
        for rule in found
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("user", sorted({screen.user for screen in SCREENS}))
def test_axe_finds_nothing_on_any_page(open_page: OpenPage, known: Mapping[str, str], watch: Watch, user: str) -> None:
    watch.expect("status of 404")
    found: list[str] = []
    with open_page(color_scheme="light", reduced_motion="reduce") as page:
        if user:
            sign_in_silently(page, Account(user, PASSWORD))
        for screen in SCREENS:
            if screen.user == user:
                visit(page, screen, known)
                found += violations(page, _ALL)
                page.emulate_media(color_scheme="dark")
                expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
                found += violations(page, _OF_COLOURS)
                page.emulate_media(color_scheme="light")
    assert not found, "\n".join(found)
