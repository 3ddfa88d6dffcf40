"""What a clinician does where the product refuses, or where another opinion is wanted."""

import re

from playwright.sync_api import Page, expect

from tests import pictures
from tests.browser.conftest import Watch
from tests.browser.hands import ALL_ANSWERED, ANSWERS, BLANK, send
from tests.integration.site import Site


def test_a_refused_picture_is_read_all_the_same_once_a_reason_is_given(site: Site, signed_in: Page) -> None:
    page = signed_in
    send(page, [("blank.png", BLANK)])
    section = page.locator("[data-image]")
    expect(section.locator(".verdict")).to_have_text("Refused")
    section.get_by_label("why should it be read all the same").fill("The machine can do no better")
    section.get_by_role("button", name="Override the refusal").click()
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    expect(section.locator(".verdict")).to_have_text(ANSWERS)
    expect(section).to_contain_text("“The machine can do no better”")
    expect(section).to_contain_text("Refused at first")
    page.goto("/history/")
    expect(page.locator("tbody tr").first).to_contain_text("refusal overridden")


def test_an_empty_reason_is_stopped_by_the_browser_and_a_blank_one_by_the_server(
    site: Site, signed_in: Page, watch: Watch
) -> None:
    watch.expect("status of 400")
    page = signed_in
    send(page, [("blank.png", BLANK)])
    section = page.locator("[data-image]")
    button = section.get_by_role("button", name="Override the refusal")
    button.click()
    expect(page).to_have_url(re.compile("/studies/"))
    section.get_by_label("why should it be read all the same").fill("   ")
    button.click()
    expect(section.get_by_role("alert")).to_have_text("Say why this image should be read all the same.")


def test_another_opinion_appears_beside_the_first_without_a_reload(site: Site, signed_in: Page, png: bytes) -> None:
    page = signed_in
    send(page, [("chest.png", png)])
    section = page.locator("[data-image]")
    expect(section.locator(".verdict")).to_have_text(ANSWERS)
    section.get_by_role("button", name="Read again").click()
    expect(section.get_by_role("heading", name="Other readings")).to_be_visible()
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    expect(section.locator(".verdict")).to_have_count(2)
    for badge in section.locator(".verdict").all():
        expect(badge).to_have_text(ANSWERS)


def test_the_images_are_summed_up_above_and_each_is_one_click_away(site: Site, signed_in: Page, png: bytes) -> None:
    page = signed_in
    negative = pictures.png(255 - pictures.phantom())
    send(page, [("chest.png", png), ("cut.png", png[:2000]), ("negative.png", negative)])
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    glance = page.get_by_role("navigation", name="The images by their answer")
    expect(glance).to_contain_text("Refused")
    glance.get_by_role("link", name="cut.png").click()
    expect(page).to_have_url(re.compile(r"#image-\d$"))
