"""Every page on a telephone, by day and by night."""

from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, ReadStudy, Watch
from tests.browser.hands import ALL_ANSWERED, BLANK, Account, choose, reader_paused, send, sign_in
from tests.integration.site import Site

TELEPHONE = {"width": 360, "height": 740}
UNBROKEN = "unbroken" * 20
LONG_DETAILS = {"Patient ID": "P" * 64, "Accession number": "A" * 64, "Clinical note": UNBROKEN}


# Red, green and blue of the page's background, whatever notation its style uses.
_BACKGROUND = """() => {
  const drawing = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  drawing.fillStyle = getComputedStyle(document.body).backgroundColor;
  drawing.fillRect(0, 0, 1, 1);
  return [...drawing.getImageData(0, 0, 1, 1).data].slice(0, 3);
}"""

# What sticks out furthest to the right, for the message.
_WIDEST = """() => [...document.querySelectorAll("body *")]
  .map((element) => [Math.round(element.getBoundingClientRect().right), element.outerHTML.slice(0, 120)])
  .sort(([one], [other]) => other - one)[0]"""


def assert_no_wider_than_screen(page: Page, what: str) -> None:
    # What is too wide may widen the window too, as a telephone does to show it all.
    width = page.evaluate("Math.max(document.documentElement.scrollWidth, window.innerWidth)")
    assert width <= TELEPHONE["width"], f"{what} is {width} pixels wide: {page.evaluate(_WIDEST)}"


def assert_fits(page: Page, scheme: str, what: str) -> None:
    """Nothing is wider than the screen, and the page wears the colours of its scheme."""
    page.wait_for_load_state("networkidle")
    assert_no_wider_than_screen(page, what)
    expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
    background = page.evaluate(_BACKGROUND)
    is_dark = sum(background) / 3 < 128
    assert is_dark == (scheme == "dark"), f"{what}: {background}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_telephone_in_the_colours_of_its_system(
    site: Site,
    open_page: OpenPage,
    clinician: Account,
    read_study: ReadStudy,
    png: bytes,
    watch: Watch,
    scheme: Literal["light", "dark"],
) -> None:
    watch.expect('status of 40[04]|value "never" does not conform')
    with open_page(viewport=TELEPHONE, color_scheme=scheme, is_mobile=True, has_touch=True) as page:
        page.goto("/sign-in/")
        assert_fits(page, scheme, "sign in")
        sign_in(page, clinician)
        for path in ("/", "/notices/", "/help/", "/send/"):
            page.goto(path)
            assert_fits(page, scheme, path)
        choose(page, [(f"{UNBROKEN}.txt", b"no picture")])
        expect(page.get_by_role("heading", name="Not to be sent")).to_be_visible()
        choose(page, [(f"{UNBROKEN}.png", png)])
        assert_fits(page, scheme, "send, with files and errors")
        with reader_paused(site):
            send(page, [(f"{UNBROKEN}.png", png), (f"{UNBROKEN}.txt", b"no picture")], LONG_DETAILS)
            expect(page.locator("[data-image]").first).to_contain_text("Waiting")
            assert_no_wider_than_screen(page, "a waiting study")
        send(page, [(f"{UNBROKEN}.png", png), (f"{UNBROKEN}.png", BLANK)])
        expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
        page.get_by_role("button", name="Read again").first.click()
        expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
        expect(page.get_by_role("heading", name="Other readings")).to_be_visible()
        expect(page.get_by_role("button", name="Override the refusal")).to_be_visible()
        assert_fits(page, scheme, "a study with two opinions and a refusal")
        for path, what in (
            (read_study.path, "a study that was read"),
            ("/history/", "history"),
            ("/models/", "the models"),
            ("/history/?search=nothing-has-this-name", "history without a match"),
            ("/history/?since=never", "history with a wrong filter"),
            ("/there-is-no-such-page/", "not found"),
        ):
            page.goto(path)
            assert_fits(page, scheme, what)
        page.goto("/models/")
        page.locator("tbody a").first.click()
        expect(page.get_by_role("heading", name="How well it does")).to_be_visible()
        assert_fits(page, scheme, "the page of a model")


def test_a_change_of_the_systems_colours_changes_the_page_at_once(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto("/sign-in/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
