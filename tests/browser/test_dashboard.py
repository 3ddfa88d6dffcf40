"""The dashboard in a browser: charts are drawn, their tables are at hand, numbers lead to their cases."""

from typing import Literal

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import OpenPage, ReadStudy, Watch
from tests.browser.hands import ALL_ANSWERED, BLANK, Account, send, sign_in

_INK = """(canvas) => {
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  return pixels.filter((value, at) => at % 4 === 3 && value > 0).length;
}"""
"""How many pixels of a canvas are painted."""


def wait_for_parts(page: Page) -> None:
    expect(page.locator('[data-part][aria-busy="true"]')).to_have_count(0)


def picture_of(page: Page) -> str:
    return str(page.locator("#part-cases canvas").first.evaluate("(canvas) => canvas.toDataURL()"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_are_drawn_in_the_colours_of_the_page_with_a_table_for_each(
    open_page: OpenPage, clinician: Account, read_study: ReadStudy, scheme: Literal["light", "dark"]
) -> None:
    with open_page(color_scheme=scheme) as page:
        sign_in(page, clinician)
        page.goto("/dashboard/")
        wait_for_parts(page)
        charts = page.locator("canvas[data-chart]")
        expect(charts.first).to_be_visible()
        assert charts.count() >= 3
        for chart in charts.all():
            assert chart.evaluate(_INK) > 500
        before = picture_of(page)
        page.emulate_media(color_scheme="dark" if scheme == "light" else "light")
        page.wait_for_function(
            "(before) => document.querySelector('#part-cases canvas').toDataURL() !== before", arg=before
        )
        table = page.locator("#chart-cases-table")
        table.locator("summary").focus()
        page.keyboard.press("Enter")
        expect(table.get_by_role("columnheader", name="Pneumonia")).to_be_visible()


def test_a_number_leads_to_its_cases_and_help_opens_and_closes_by_keyboard(signed_in: Page) -> None:
    page = signed_in
    send(page, [("blank.png", BLANK)])
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    page.goto("/dashboard/")
    wait_for_parts(page)
    refused = page.locator("#key-refused")
    refused.get_by_role("link").wait_for()
    refused.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(refused.get_by_text("Radiographs that got no answer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(refused.get_by_text("Radiographs that got no answer")).to_be_hidden()
    count = int(refused.get_by_role("link").inner_text())
    refused.get_by_role("link").click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(count)
    expect(page.locator("tbody .verdict-refused")).to_have_count(count)


def test_a_part_that_does_not_come_says_so_and_comes_when_it_is_asked_for_again(signed_in: Page, watch: Watch) -> None:
    watch.expect("status of 503|Response Status Error Code 503")
    page, broken = signed_in, [True]

    def answer(route: Route) -> None:
        if broken:
            route.fulfill(status=503, body="not now")
        else:
            route.continue_()

    page.route("**/dashboard/parts/refusals/**", answer)
    page.goto("/dashboard/")
    wait_for_parts(page)
    part = page.locator("#part-refusals")
    expect(part.get_by_role("alert")).to_contain_text("These figures did not come")
    broken.clear()
    part.get_by_role("button", name="Try again").click()
    expect(part.get_by_role("heading", name="Files not taken in")).to_be_visible()
    expect(part.get_by_role("alert")).to_be_hidden()


def test_the_dashboard_fits_a_telephone(open_page: OpenPage, clinician: Account, read_study: ReadStudy) -> None:
    with open_page(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True) as page:
        sign_in(page, clinician)
        page.goto("/dashboard/?since=2025-01-01")
        wait_for_parts(page)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("Math.max(document.documentElement.scrollWidth, window.innerWidth)") <= 360
