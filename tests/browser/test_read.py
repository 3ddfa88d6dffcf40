"""Reading beside the model: by keyboard, before its answer, and while it is paused."""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import pictures
from tests.browser.conftest import OpenPage, Watch
from tests.browser.hands import ALL_ANSWERED, ANSWERS, Account, reader_paused, send, sign_in
from tests.integration.site import Site


@pytest.fixture(scope="session")
def first_reader(running_site: Site) -> Account:
    """A clinician who reads before seeing an answer."""
    account = Account("browser-first-reader", "browser-first-reader has a long password")
    running_site.add_clinician(*account)
    return account


def choose_finding(place: Page | Locator, words: str) -> None:
    """By its button."""
    place.locator("label.btn", has_text=words).click()


def test_a_reader_agrees_or_says_otherwise_and_signs_by_keyboard_alone(site: Site, signed_in: Page, png: bytes) -> None:
    page = signed_in
    send(page, [("chest.png", png)])
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    section = page.locator("[data-image]")
    page.reload()
    expect(section).to_be_focused()
    label = page.locator("[data-reading]").get_attribute("data-label")
    agreed = {"NORMAL": "Normal", "PNEUMONIA": "Pneumonia"}.get(label or "")
    page.keyboard.press("a" if agreed else "4")
    finding = agreed or "Cannot tell"
    value = finding.upper().replace(" ", "_")
    expect(section.locator(f"[name=finding][value={value}]")).to_be_checked()
    page.keyboard.press("Enter")
    expect(section.locator(".signed")).to_contain_text("Signed by browser-clinician (First reader)")
    expect(section.locator(".signed strong").first).to_have_text(finding)
    section.locator("summary", has_text="Change my reading").click()
    section.get_by_label("In your words").fill("Another look: a rib.")
    choose_finding(section, "Another finding")
    section.get_by_label("In your words").press("Control+Enter")
    expect(section.locator(".signed strong").first).to_have_text("Another finding")
    expect(section.get_by_text("Earlier versions (1)")).to_be_visible()
    expect(section.locator("textarea")).to_have_value("Another look: a rib.")


def test_a_draft_outlives_a_reload_and_the_answer_that_arrives_meanwhile(
    site: Site, signed_in: Page, png: bytes
) -> None:
    page = signed_in
    with reader_paused(site):
        send(page, [("chest.png", png)])
        text = page.get_by_label("In your words")
        text.fill("Left base, I")
        choose_finding(page, "Cannot tell")
        page.reload()
        expect(text).to_have_value("Left base, I")
        text.press("End")
        text.press_sequentially(" think")
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    expect(page.locator("[data-image] .verdict").first).to_have_text(ANSWERS)
    expect(text).to_have_value("Left base, I think")
    expect(text).to_be_focused()
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.locator(".signed")).to_contain_text("Left base, I think")
    page.reload()
    page.locator("summary", has_text="Change my reading").click()
    expect(text).to_have_value("Left base, I think")


def test_the_keys_go_on_when_the_answer_arrives_while_the_picture_has_the_focus(
    site: Site, signed_in: Page, png: bytes
) -> None:
    page = signed_in
    section = page.locator("[data-image]")
    with reader_paused(site):
        send(page, [("chest.png", png)])
        section.locator(".viewer-pane").focus()
        page.keyboard.press("2")
        expect(section.locator("[name=finding]:checked")).to_have_count(0)
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    expect(section.locator(".verdict").first).to_have_text(ANSWERS)
    expect(section).to_be_focused()
    page.keyboard.press("4")
    expect(section.locator("[name=finding][value=CANNOT_TELL]")).to_be_checked()


def test_who_reads_first_meets_no_answer_until_they_have_signed(
    site: Site, page: Page, first_reader: Account, png: bytes, watch: Watch
) -> None:
    watch.expect("status of 400")
    sign_in(page, first_reader, "/preferences/")
    page.get_by_label("Read first").check()
    page.get_by_role("button", name="Save").click()
    send(page, [("one.png", png), ("two.png", pictures.png(pictures.phantom(seed=1)))])
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    expect(page.locator("[data-image] .verdict")).to_have_text(["Hidden until you have read"] * 2)
    assert "/heatmap/" not in page.content()
    study = page.url
    page.goto("/history/")
    expect(page.locator("tbody tr").first.locator(".verdict")).to_have_text("Hidden until you have read")
    page.goto("/history/?label=PNEUMONIA")
    expect(page.get_by_role("alert")).to_contain_text("You read first")
    page.goto(study)
    one, two = page.locator("[data-image]").all()
    choose_finding(one, "Normal")
    one.get_by_role("button", name="Sign", exact=True).click()
    expect(one.locator(".verdict").first).to_have_text(ANSWERS)
    expect(one).to_contain_text("before seeing an answer")
    expect(two.locator(".verdict")).to_have_text("Hidden until you have read")
    page.goto("/agreement/")
    expect(page.get_by_role("heading", name="Signed before seeing the answer")).to_be_visible()
    chart = json.loads(page.locator("#trend-data").text_content() or "")
    assert len(chart["labels"]) == 1
    expect(page.locator("canvas")).to_be_visible()


def test_what_is_sent_during_a_pause_waits_and_is_read_once_it_is_over(
    site: Site, signed_in: Page, open_page: OpenPage, png: bytes
) -> None:
    page = signed_in
    administrator = Account("administrator", site.passwords["administrator"])
    with open_page() as office:
        sign_in(office, administrator, "/pause/")
        office.get_by_label("Why").fill("The heatmaps look wrong")
        office.get_by_role("button", name="Pause it").click()
        expect(office.locator("#paused")).to_contain_text("by administrator")
        send(page, [("chest.png", png)])
        expect(page.locator("#paused")).to_contain_text("“The heatmaps look wrong”")
        page.wait_for_timeout(7_000)  # longer than a worker leaves overdue work alone
        expect(page.locator("[data-image] .verdict")).to_have_text("Waiting")
        expect(page.locator("#progress")).to_contain_text("The AI is paused")
        office.get_by_label("Why").fill("It was a setting")
        office.get_by_role("button", name="Let it go on").click()
        expect(office.locator("#paused")).to_have_count(0)
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    expect(page.locator("[data-image] .verdict").first).to_have_text(re.compile(ANSWERS.pattern))
