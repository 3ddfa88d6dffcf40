"""Sending over lines that break: reloads, lost answers, full queues, ended sessions."""

import re

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Watch
from tests.browser.hands import ANSWERS, BLANK, Account, choose, reader_paused, sign_in
from tests.browser.sending import FILES, expect_all_answered, fresh, go, images_of, kept, line_cut, row, rows
from tests.integration.site import Site


def test_many_files_are_sent_each_with_its_progress_and_followed_to_their_answers(site: Site, signed_in: Page) -> None:
    page = signed_in
    page.goto("/send/")
    files = [*fresh(8), ("blank.png", BLANK)]
    expect(page.get_by_text("No files yet.")).to_be_visible()
    choose(page, files)
    expect(page.locator("#send-summary")).to_have_text(re.compile(r"^9 files · \d.* [Mk]B · one study$"))
    page.get_by_label("Patient ID").fill("MANY-1")
    line = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 20, "downloadThroughput": -1, "uploadThroughput": 60_000}
    line.send("Network.enable")
    line.send("Network.emulateNetworkConditions", slow)
    with reader_paused(site):
        go(page)
        expect(rows(page).filter(has_text=re.compile(r"Sending, \d+\s?%")).first).to_be_visible()
        expect(rows(page).filter(has_text="Waiting for its turn to be sent").first).to_be_visible()
        expect(page.locator("#send-progress")).to_contain_text("of 9 sent")
        expect(page.locator("#send-progress")).to_contain_text("left")
        assert page.locator('.send-row[data-state="sending"]').count() <= 2
        line.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
        expect(page.locator("#tray")).to_have_attribute("data-unsent", "0")
        expect(rows(page).filter(has_text=re.compile("Waits to be read: .*before it")).first).to_be_visible()
        expect(page.get_by_label("Patient ID")).to_be_disabled()
    expect_all_answered(page, 9)
    for name, _ in files[:8]:
        expect(row(page, name).locator(".verdict")).to_have_text(ANSWERS)
        expect(row(page, name).locator(".send-probability")).to_have_text(re.compile("%"))
    expect(row(page, "blank.png").locator(".verdict")).to_have_text("Refused")
    expect(page.get_by_role("button", name="Show first what needs a person")).to_have_attribute("aria-pressed", "true")
    assert images_of(site, "MANY-1") == sorted(name for name, _ in files)
    row(page, "chest-3.png").get_by_role("link", name="Open the study").click()
    expect(page.get_by_role("heading", name="Patient MANY-1")).to_be_visible()


def test_a_reload_in_the_middle_costs_nothing(site: Site, signed_in: Page, watch: Watch) -> None:
    watch.expect("net::ERR_FAILED.*/send/files/")
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(5))
    page.get_by_label("Patient ID").fill("RELOAD-1")
    passed: list[Route] = []

    def two_only(route: Route) -> None:
        passed.append(route)
        if len(passed) <= 2:
            route.continue_()
        else:
            route.abort()

    page.route(FILES, two_only)
    go(page)
    expect(page.locator("#send-notice")).to_contain_text("The server is out of reach. Trying again in")
    expect(page.locator("#send-notice")).to_contain_text("nothing is lost")
    page.reload()
    expect(rows(page)).to_have_count(5)
    page.unroute(FILES)
    expect_all_answered(page, 5)
    assert len(images_of(site, "RELOAD-1")) == 5
    assert len(site.rows("SELECT 1 FROM diagnoses_study WHERE subject_id = %s", site.pseudonym_of("RELOAD-1"))) == 1
    page.reload()
    expect(rows(page).locator(".verdict")).to_have_text([ANSWERS] * 5)
    page.get_by_role("button", name="Clear the answered").click()
    expect(page.get_by_text("No files yet.")).to_be_visible()
    assert kept(page) == 0


def test_what_was_not_sent_yet_is_there_with_its_words_after_a_reload(signed_in: Page) -> None:
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(2))
    page.get_by_label("Clinical note").fill("Cough")
    page.get_by_label("Urgent").check()
    page.reload()
    expect(rows(page)).to_have_count(2)
    expect(page.get_by_label("Clinical note")).to_have_value("Cough")
    expect(page.get_by_label("Urgent")).to_be_checked()
    expect(page.locator("#send-summary")).to_contain_text("2 files")


def test_an_answer_that_is_lost_on_its_way_adds_no_second_image(site: Site, signed_in: Page, watch: Watch) -> None:
    watch.expect("net::ERR_FAILED.*/send/files/")
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(2))
    page.get_by_label("Patient ID").fill("LOST-1")
    lost: list[str] = []

    def lose_first(route: Route) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.request.url)
        route.fetch()
        route.abort()

    page.route(FILES, lose_first)
    go(page)
    expect_all_answered(page, 2)
    assert len(images_of(site, "LOST-1")) == 2


def test_a_lost_connection_is_told_and_it_goes_on_by_itself(site: Site, signed_in: Page, watch: Watch) -> None:
    watch.expect("net::ERR_(INTERNET_DISCONNECTED|FAILED)")
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(3))
    page.get_by_label("Patient ID").fill("OFFLINE-1")
    page.context.set_offline(True)
    go(page)
    expect(page.locator("#send-notice")).to_contain_text("nothing is lost")
    expect(page.locator("#offline")).to_be_visible()
    page.context.set_offline(False)
    expect_all_answered(page, 3)
    expect(page.locator("#send-notice")).to_be_hidden()
    assert len(images_of(site, "OFFLINE-1")) == 3


def test_when_too_much_waits_it_waits_as_long_as_the_server_says(signed_in: Page, watch: Watch) -> None:
    watch.expect("status of 429")
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(1))
    refused: list[Route] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
            return
        refused.append(route)
        route.fulfill(status=429, headers={"Retry-After": "2"}, json={"error": {"code": "queue_full", "message": ""}})

    page.route(FILES, refuse_once)
    go(page)
    expect(page.locator("#send-notice")).to_contain_text("Sending goes on by itself in 2 seconds.")
    expect_all_answered(page, 1)


def test_signed_out_in_between_everything_is_kept_and_goes_on_after_the_sign_in(
    site: Site, signed_in: Page, clinician: Account, watch: Watch
) -> None:
    watch.expect("net::ERR_FAILED.*/send/files/|status of 403")
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(3))
    page.get_by_label("Patient ID").fill("SESSION-1")
    with line_cut(page):
        go(page)
        expect(page.locator("#send-notice")).to_contain_text("out of reach")
        page.context.clear_cookies()
    notice = page.locator("#send-notice")
    expect(notice).to_contain_text("You were signed out. Nothing is lost")
    expect(page.locator("main")).to_be_hidden()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    other = page.context.new_page()
    sign_in(other, clinician)
    other.close()
    expect_all_answered(page, 3)
    assert len(images_of(site, "SESSION-1")) == 3


def test_another_user_of_the_same_browser_sees_nothing_and_nothing_goes_out_in_their_name(
    site: Site, signed_in: Page, outsider: Account, watch: Watch
) -> None:
    watch.expect("net::ERR_FAILED.*/send/files/|status of (403|409)")
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(3, "secret"))
    page.get_by_label("Patient ID").fill("OTHERS-1")
    with line_cut(page):
        go(page)
        expect(page.locator("#send-notice")).to_contain_text("out of reach")
        assert kept(page) == 3
        page.context.clear_cookies()
        other = page.context.new_page()
        sign_in(other, outsider)
    expect(page.locator("#send-notice")).to_contain_text("Another user has signed in on this browser")
    assert "secret-0" not in page.locator("main").inner_text()
    page.close()
    other.goto("/send/")
    expect(other.get_by_text("No files yet.")).to_be_visible()
    assert kept(other) == 0
    assert images_of(site, "OTHERS-1") == []
