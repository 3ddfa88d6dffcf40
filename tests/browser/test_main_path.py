"""The way of a radiograph through the pages, from signing in to the heatmap and the history."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request, expect

from tests import pictures
from tests.browser.conftest import ReadStudy, Watch
from tests.browser.hands import ALL_ANSWERED, ANSWERS, Account, reader_paused, send, sign_in
from tests.integration.site import Site


def test_a_wrong_password_is_answered_with_words_and_the_right_one_opens_the_send_page(
    page: Page, clinician: Account
) -> None:
    page.goto("/send/")
    assert urlsplit(page.url).path == "/sign-in/"
    page.get_by_label("User name").fill(clinician.name)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Please enter a correct username and password")
    expect(page.get_by_label("User name")).to_have_value(clinician.name)
    expect(page.get_by_label("Password")).to_have_value("")
    page.get_by_label("Password").fill(clinician.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Send radiographs")).to_be_visible()


def test_files_are_sent_and_their_answers_appear_without_a_reload(site: Site, signed_in: Page, png: bytes) -> None:
    page = signed_in
    files = [("chest.png", png), ("cut.png", png[:2000]), ("chest.dcm", pictures.dicom(pictures.phantom()))]
    with reader_paused(site):
        send(page, files, {"Patient ID": "LIVE-1"})
        expect(page.get_by_role("heading", name="Patient LIVE-1")).to_be_visible()
        expect(page.locator("#progress")).to_contain_text("1 of 3 answered; this page follows by itself.")
        sections = page.locator("[data-image]")
        expect(sections).to_have_count(3)
        taken, refused = sections.filter(has_text="chest."), sections.filter(has_text="cut.png")
        expect(taken).to_contain_text(["Waiting", "Waiting"])
        expect(refused).to_contain_text("Refused")
        expect(refused).to_contain_text("The picture is damaged or cut short.")
        page.evaluate("window.isTheSamePage = true")
        navigations: list[str] = []
        page.on("framenavigated", lambda frame: navigations.append(frame.url))
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    for section in taken.all():
        expect(section.locator(".verdict").first).to_have_text(ANSWERS)
        section.scroll_into_view_if_needed()
        expect(section.get_by_role("combobox", name="Heatmap")).to_have_value("over")
        expect(section).to_contain_text("Probability of pneumonia")
    expect(refused).to_contain_text("The picture is damaged or cut short.")
    assert page.evaluate("window.isTheSamePage") is True
    assert navigations == []
    expect(page.get_by_role("note")).to_contain_text("This is not a diagnosis.")


def test_a_page_that_has_its_answers_asks_no_more(site: Site, signed_in: Page, png: bytes) -> None:
    page = signed_in
    page.clock.install()
    page.add_init_script(
        "window.sources = []; window.EventSource = class extends EventSource {"
        "  constructor(...all) { super(...all); window.sources.push(this); } };"
    )
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if "/images/" in request.url else None)
    with reader_paused(site):
        send(page, [("chest.png", png)])
        with page.expect_request("**/images/"):
            page.clock.run_for(15_000)  # while it waits it asks from time to time even though events flow
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    page.wait_for_function("window.sources.length > 0 && window.sources.every((source) => source.readyState === 2)")
    page.wait_for_load_state("networkidle")
    before = len(asked)
    assert before >= 2
    page.clock.run_for(10 * 60_000)
    page.evaluate("fetch('/healthz')")  # anything asked meanwhile was asked before this
    assert len(asked) == before
    assert page.evaluate("window.sources.length") == 1


def test_without_events_the_page_asks_by_itself(site: Site, signed_in: Page, png: bytes, watch: Watch) -> None:
    watch.expect(r"net::ERR_FAILED.*/events/")
    page = signed_in
    page.route("**/events/", lambda route: route.abort())
    with reader_paused(site):
        with page.expect_event("requestfailed", lambda request: request.url.endswith("/events/")):
            send(page, [("chest.png", png)])
        expect(page.locator("[data-image]")).to_contain_text("Waiting")
        page.evaluate("window.isTheSamePage = true")
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    expect(page.locator("[data-image] .verdict")).to_have_text(ANSWERS)
    assert page.evaluate("window.isTheSamePage") is True


def test_a_file_that_joins_an_open_study_appears_in_its_place(site: Site, signed_in: Page, png: bytes) -> None:
    page = signed_in
    headings = page.locator("[data-image] h2")
    with reader_paused(site):
        send(page, [(name, png) for name in ("one.png", "two.png", "three.png")])
        expect(headings).to_have_count(3)
        page.reload()
        names = headings.all_inner_texts()
        # As it is on a page that was opened when only one of the files had come.
        page.locator("[data-image]").evaluate_all("([one, two, three]) => { one.remove(); three.remove(); }")
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    assert len(names) == 3
    expect(headings).to_have_text(names)
    expect(page.locator("[data-image] .verdict")).to_have_text([ANSWERS] * 3)
    expect(page.locator("#connection")).to_be_hidden()


def test_a_page_that_cannot_reach_the_server_says_so_until_it_can_again(
    site: Site, signed_in: Page, png: bytes, watch: Watch
) -> None:
    watch.expect(r"net::ERR_FAILED.*/(events|images)/")
    page = signed_in
    page.clock.install()
    for address in ("**/events/", "**/images/"):
        page.route(address, lambda route: route.abort())
    with reader_paused(site):
        send(page, [("chest.png", png)])
        page.clock.run_for(10_000)
        expect(page.locator("#connection")).to_have_text("The server is out of reach; trying again. Nothing is lost.")
        page.unroute_all()
        page.clock.run_for(10_000)
        expect(page.locator("#connection")).to_be_hidden()
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)


def test_a_page_whose_user_was_signed_out_meanwhile_says_so(
    site: Site, signed_in: Page, png: bytes, watch: Watch
) -> None:
    watch.expect("EventSource's response has a MIME type")  # that of the sign-in page, to which it is led
    page = signed_in
    with reader_paused(site):
        send(page, [("chest.png", png)])
        page.context.clear_cookies()
    expect(page.locator("#signed-out")).to_contain_text("You were signed out")
    expect(page.locator("#signed-out")).to_be_visible()
    expect(page.locator("main")).to_be_hidden()
    expect(page).to_have_title("Chest X-ray reader")


def test_the_history_lists_finds_and_filters_cases(signed_in: Page, read_study: ReadStudy) -> None:
    page = signed_in
    page.get_by_role("link", name="History").click()
    rows = page.locator("tbody tr")
    row = rows.filter(has_text=read_study.patient)
    expect(row).to_have_count(1)
    expect(row.locator(".badge")).to_have_text(read_study.badge)

    def filter_by(**fields: str) -> None:
        page.goto("/history/")
        page.get_by_text("More filters").click()
        for label, value in fields.items():
            field = page.get_by_role("search").get_by_label(label.replace("_", " "), exact=True)
            field.fill(value) if field.evaluate("f => f.tagName") == "INPUT" else field.select_option(value)
        page.get_by_role("button", name="Filter").click()

    filter_by(Search="read-1")
    expect(rows).to_have_count(1)
    expect(row).to_be_visible()
    other = {"NORMAL": "PNEUMONIA", "PNEUMONIA": "NORMAL"}[read_study.label]
    filter_by(Search="read-1", Answer=read_study.label)
    expect(rows).to_have_count(1)
    filter_by(Search="read-1", Answer=other)
    expect(rows).to_have_count(0)
    expect(page.get_by_text("No case matches.")).to_be_visible()
    page.get_by_role("link", name="show all cases").click()
    row.get_by_role("link").click()
    expect(page).to_have_url(re.compile(read_study.path))


def test_after_signing_out_a_study_is_behind_the_sign_in(
    signed_in: Page, read_study: ReadStudy, clinician: Account
) -> None:
    page = signed_in
    page.goto(read_study.path)
    expect(page.get_by_role("heading", name=f"Patient {read_study.patient}")).to_be_visible()
    page.get_by_role("button", name=f"Account: {clinician.name}").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(page, clinician, read_study.path)
    expect(page.get_by_role("heading", name=f"Patient {read_study.patient}")).to_be_visible()


def test_another_clinician_finds_nothing_there_and_is_told_so_in_words(
    page: Page, outsider: Account, read_study: ReadStudy, watch: Watch
) -> None:
    watch.expect("status of 404")
    sign_in(page, outsider)
    answer = page.goto(read_study.path)
    assert answer
    assert answer.status == 404
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    expect(page.locator("body")).to_contain_text("nothing that your account may see")
    assert read_study.patient not in page.content()
    page.get_by_role("link", name="To the start").click()
    expect(page.get_by_role("heading", name="Nothing has been sent yet. This is how it goes:")).to_be_visible()
    page.goto("/history/")
    expect(page.get_by_text("No cases yet.")).to_be_visible()
