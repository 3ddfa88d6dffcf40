"""What a clinician finds, chooses, exports and compares on the pages of the history."""

import re
import zipfile

from playwright.sync_api import Page, expect

from tests.browser.hands import ALL_ANSWERED, BLANK, send
from tests.integration.site import Site

ROWS = "tbody tr"


def test_filters_combine_live_in_the_address_and_are_taken_off_one_by_one(
    site: Site, signed_in: Page, png: bytes
) -> None:
    page = signed_in
    for patient, data in (("FIND-1", png), ("FIND-2", BLANK)):
        send(page, [(f"{patient}.png", data)], {"Patient ID": patient})
        expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    page.goto("/history/")
    expect(page.get_by_label("Refused for")).to_be_hidden()
    page.get_by_label("Search").fill("FIND")
    page.get_by_text("More filters").click()
    page.get_by_label("State").select_option("refused")
    page.get_by_label("Clinician", exact=True).select_option("none")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile(r"status=refused.*reading=none.*find="))
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(ROWS)).to_contain_text("FIND-2")
    expect(page.get_by_label("Refused for")).to_be_visible()
    page.reload()
    expect(page.get_by_label("State")).to_have_value("refused")
    page.get_by_role("link", name="State: Refused").click()
    expect(page.locator(ROWS)).to_have_count(2)
    page.get_by_role("link", name="Clear all").click()
    expect(page).to_have_url(re.compile("/history/$"))


def test_the_columns_that_were_chosen_stay_and_the_menu_closes_by_keyboard(site: Site, signed_in: Page) -> None:
    page = signed_in
    page.goto("/history/?search=FIND")
    summary = page.locator("summary", has_text="Columns")
    summary.press("Enter")
    expect(page.get_by_role("button", name="Show these")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Show these")).to_be_hidden()
    expect(summary).to_be_focused()
    summary.click()
    page.get_by_label("Clinician's reading", exact=True).check()
    page.get_by_role("checkbox", name="Model", exact=True).uncheck()
    page.get_by_role("button", name="Show these").click()
    expect(page).to_have_url(re.compile(r"find="))
    for _ in range(2):
        expect(page.get_by_role("columnheader", name="Clinician's reading")).to_be_visible()
        expect(page.get_by_role("columnheader", name="Model")).to_have_count(0)
        page.goto("/history/")
    summary.click()
    page.get_by_role("button", name="The usual ones").click()
    expect(page.get_by_role("columnheader", name="Model")).to_be_visible()


def test_an_export_is_followed_without_a_reload_and_opened(site: Site, signed_in: Page, png: bytes) -> None:
    page = signed_in
    send(page, [("packed.png", png)], {"Patient ID": "PACK-1"})
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    page.goto("/history/?patient_id=PACK-1")
    page.locator("summary", has_text="Export").click()
    page.get_by_role("button", name="Pictures and answers as ZIP").click()
    expect(page).to_have_url(re.compile("/exports/$"))
    expect(page.locator("#exports")).to_contain_text("Patient ID: PACK-1")
    link = page.get_by_role("link", name="Download").first
    expect(link).to_be_visible(timeout=60_000)
    with page.expect_download() as started:
        link.click()
    assert re.fullmatch(r"cases-\d{4}-\d\d-\d\d-[0-9a-f-]{36}\.zip", started.value.suggested_filename)
    with zipfile.ZipFile(started.value.path()) as archive:
        assert archive.testzip() is None
        assert {name.rsplit("/")[-1] for name in archive.namelist()} >= {"index.csv", "study.json", "image-1.png"}
    page.get_by_role("button", name="Remove").first.click()
    expect(page.locator("#exports")).to_contain_text("Nothing has been exported.")


def test_two_studies_that_are_ticked_stand_side_by_side(site: Site, signed_in: Page, png: bytes) -> None:
    page = signed_in
    for _ in range(2):
        send(page, [("twice.png", png)], {"Patient ID": "TWICE"})
        expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    expect(page.get_by_role("heading", name="Compare with an earlier one")).to_be_visible()
    page.goto("/history/?patient_id=TWICE")
    button = page.get_by_role("button", name="Compare")
    expect(button).to_be_disabled()
    boxes = page.get_by_role("checkbox", name="Compare twice.png")
    boxes.nth(0).check()
    expect(button).to_be_disabled()
    boxes.nth(1).check()
    button.click()
    expect(page).to_have_url(re.compile("/compare/\\?a="))
    expect(page.get_by_text("Less than a day lies between them.")).to_be_visible()
    expect(page.get_by_text("+0.0 percentage points")).to_be_visible()
    expect(page.locator("[data-compared]")).to_have_count(2)
    left, right = (page.locator("[data-compared]").nth(number).bounding_box() for number in (0, 1))
    assert left
    assert right
    assert left["y"] == right["y"]
    page.set_viewport_size({"width": 390, "height": 800})
    below = page.locator("[data-compared]").nth(1).bounding_box()
    assert below
    assert below["y"] > left["y"] + 100
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
