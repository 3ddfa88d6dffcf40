"""Signing in with a second factor, and being told that the session ends, in a real browser."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import ReadStudy, Watch
from tests.browser.hands import Account, choose, sign_in
from tests.browser.sending import fresh, kept, rows
from tests.diagnoses.signing_in import code_at
from tests.integration.site import Site, wait_until


@pytest.fixture(scope="module")
def people(running_site: Site) -> tuple[Account, Account]:
    """One who will have an app, and one who will have a key."""
    accounts = Account("app-owner", "an app owner's long password"), Account("key-owner", "a key owner's password")
    for account in accounts:
        running_site.add_clinician(*account)
    return accounts


@pytest.fixture
def page_at_localhost(browser: Browser, running_site: Site) -> Iterator[Page]:
    """Security keys belong to names, and not to an address like 127.0.0.1."""
    address = f"http://localhost:{urlsplit(running_site.url).port}"
    context = browser.new_context(base_url=address)
    context.set_default_timeout(20_000)
    page, watch = context.new_page(), Watch(address)
    watch.follow(page)
    yield page
    context.close()
    watch.check()


def give_password(page: Page, account: Account) -> None:
    page.goto("/sign-in/")
    page.get_by_label("User name").fill(account.name)
    page.get_by_label("Password").fill(account.password)
    page.get_by_role("button", name="Sign in").click()


def confirm(page: Page, account: Account) -> None:
    expect(page.get_by_role("heading", name="Is it you?")).to_be_visible()
    page.get_by_label("Password").fill(account.password)
    page.get_by_role("button", name="Go on").click()


def sign_out(page: Page, account: Account) -> None:
    page.get_by_role("button", name=f"Account: {account.name}").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in/")


def test_a_clinician_sets_up_an_authenticator_app_and_signs_in_with_it(
    page: Page, people: tuple[Account, Account]
) -> None:
    account = people[0]
    give_password(page, account)
    page.get_by_role("button", name=f"Account: {account.name}").click()
    page.get_by_role("link", name="Security").click()
    page.get_by_role("link", name="Set up an authenticator app").click()
    confirm(page, account)
    expect(page.get_by_role("img", name="The secret as a QR code")).to_be_visible()
    secret = page.locator("#secret").inner_text()
    page.get_by_label("Code").fill(code_at(0, secret))
    page.get_by_role("button", name="Set up").click()
    expect(page.locator("#codes li")).to_have_count(10)
    recovery = page.locator("#codes li").first.inner_text()
    sign_out(page, account)

    give_password(page, account)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    page.goto("/history/")
    expect(page).to_have_url(re.compile("/sign-in/"))
    page.get_by_label("Code of your authenticator app").fill("000 000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("This code is not right")
    # The code of now was used to set the app up; a clock that is half a minute ahead shows this one.
    page.get_by_label("Code of your authenticator app").fill(code_at(1, secret))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name=f"Account: {account.name}")).to_be_visible()
    sign_out(page, account)

    give_password(page, account)
    page.get_by_label("Code of your authenticator app").fill(recovery)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name=f"Account: {account.name}")).to_be_visible()


def test_a_clinician_adds_a_security_key_and_signs_in_with_it(
    page_at_localhost: Page, people: tuple[Account, Account]
) -> None:
    page, account = page_at_localhost, people[1]
    keys = page.context.new_cdp_session(page)
    keys.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "usb", "hasUserVerification": True, "isUserVerified": True}
    keys.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, "automaticPresenceSimulation": True}})
    give_password(page, account)
    expect(page.get_by_role("button", name=f"Account: {account.name}")).to_be_visible()
    page.goto("/account/")
    page.get_by_role("link", name="Add a security key").click()
    confirm(page, account)
    page.get_by_label("Name of the key").fill("Blue key")
    page.get_by_role("button", name="Add the key").click()
    expect(page.locator("#codes li")).to_have_count(10)
    page.goto("/account/")
    expect(page.get_by_text("Blue key").first).to_be_visible()
    sign_out(page, account)

    give_password(page, account)
    page.get_by_role("button", name="Use a security key").click()
    expect(page.get_by_role("button", name=f"Account: {account.name}")).to_be_visible()


LOOK = "document.dispatchEvent(new Event('visibilitychange'))"


class Session:
    """What a page is told of its session."""

    def __init__(self, page: Page) -> None:
        self.left = 100
        self.user = page.locator("#idle").get_attribute("data-user")
        page.route("**/account/session/", self._answer)

    def _answer(self, route: Route) -> None:
        if route.request.method == "POST":
            self.left = 900
        route.fulfill(json={"left": self.left, "last": False, "user": self.user})


def test_a_page_says_that_its_session_ends(signed_in: Page) -> None:
    page, session = signed_in, Session(signed_in)
    stay = page.get_by_role("button", name="Stay signed in")
    expect(stay).to_be_hidden()
    page.evaluate(LOOK)
    stay.click()
    expect(stay).to_be_hidden()
    assert session.left == 900


def test_once_it_has_ended_nothing_of_a_patient_is_left_to_read(signed_in: Page, read_study: ReadStudy) -> None:
    page = signed_in
    page.goto(read_study.path)
    expect(page.get_by_text(read_study.patient).first).to_be_visible()
    page.locator("textarea").first.fill("typed")
    session = Session(page)
    session.left = 0
    page.evaluate(LOOK)
    expect(page.get_by_text("You were signed out, and what was here is hidden.")).to_be_visible()
    assert read_study.patient not in page.locator("body").inner_text()
    expect(page).to_have_title("Chest X-ray reader")

    session.left, session.user = 900, "0"  # somebody else has signed in
    page.evaluate(LOOK)
    page.wait_for_timeout(300)
    expect(page.locator("main")).to_be_hidden()

    session.user = page.locator("#idle").get_attribute("data-user")
    page.evaluate(LOOK)
    expect(page.get_by_text(read_study.patient).first).to_be_visible()
    assert page.locator("textarea").first.input_value() == "typed"


def test_a_page_that_comes_back_after_signing_in_elsewhere_still_sends_its_forms(
    signed_in: Page, clinician: Account, read_study: ReadStudy
) -> None:
    page, other = signed_in, signed_in.context.new_page()
    page.goto(read_study.path)
    typed = page.locator("textarea").first
    typed.fill("typed")
    other.goto("/")
    sign_out(other, clinician)
    page.evaluate(LOOK)
    hidden = page.get_by_role("alert").filter(has_text="You were signed out")
    expect(hidden).to_be_visible()
    expect(hidden.get_by_role("link", name="Sign in")).to_be_focused()
    sign_in(other, clinician)
    page.evaluate(LOOK)
    expect(typed).to_be_focused()
    assert typed.input_value() == "typed"
    sign_out(page, clinician)


def test_without_a_connection_the_page_is_hidden_when_its_time_has_passed(
    page: Page, clinician: Account, watch: Watch
) -> None:
    watch.expect("net::ERR_FAILED.*/account/session/")
    page.clock.install()
    sign_in(page, clinician)
    page.route("**/account/session/", lambda route: route.abort())
    page.clock.run_for(14 * 60_000)
    expect(page.locator("main")).to_be_visible()
    page.clock.run_for(2 * 60_000)
    expect(page.locator("main")).to_be_hidden()


def test_a_draft_of_another_user_is_removed_and_a_sign_out_leaves_nothing_but_what_the_device_has_chosen(
    signed_in: Page, clinician: Account, read_study: ReadStudy
) -> None:
    page = signed_in
    own = f"reading {page.locator('#idle').get_attribute('data-user')} x"
    page.evaluate("keys => keys.forEach((key) => sessionStorage.setItem(key, 'typed'))", [own, "reading 999999 x"])
    page.evaluate("localStorage.setItem('worklist-keys-off', '1')")
    page.goto("/send/")
    assert [key for key in page.evaluate("Object.keys(sessionStorage)") if "reading" in key] == [own]
    count = "async () => (await indexedDB.databases()).length"
    wait_until(lambda: page.evaluate(count) == 1, 10, "the page has made its store of files")
    sign_out(page, clinician)
    assert [key for key in page.evaluate("Object.keys(sessionStorage)") if "reading" in key] == []
    assert kept(page) == 0
    assert page.evaluate("localStorage.getItem('worklist-keys-off')") == "1"


def test_a_sign_out_says_before_that_files_wait_to_be_sent_and_keeps_them(
    signed_in: Page, clinician: Account, outsider: Account
) -> None:
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(2))
    page.once("dialog", lambda dialog: dialog.dismiss())
    with page.expect_event("dialog") as asked:
        page.get_by_role("button", name=f"Account: {clinician.name}").click()
        page.get_by_role("button", name="Sign out").click()
    assert "not sent yet" in asked.value.message
    expect(page.locator("#tray")).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    sign_out(page, clinician)
    assert kept(page) == 2
    sign_in(page, outsider)
    sign_out(page, outsider)
    assert kept(page) == 2
    sign_in(page, clinician)
    page.goto("/send/")
    expect(rows(page)).to_have_count(2)


def test_no_page_of_an_account_or_of_the_administration_logs_an_error(
    page: Page, site: Site, read_study: ReadStudy
) -> None:
    account = Account("administrator", site.passwords["administrator"])
    sign_in(page, account)
    for path in ("", "sessions/", "app/", "keys/new/", "recovery-codes/new/", "password/"):
        page.goto(f"/account/{path}")
        if page.get_by_role("heading", name="Is it you?").count():
            confirm(page, account)
        expect(page.locator("main")).to_be_visible()
    page.goto("/admin/")
    links = page.locator("#content a").evaluate_all("links => links.map((link) => link.getAttribute('href'))")
    assert len(links) > 10
    for link in dict.fromkeys(links):
        page.goto(link)
        row = page.locator("#result_list tbody th a").first
        if row.count():
            row.click()
            page.wait_for_load_state()
            further = page.locator(".historylink, .deletelink").evaluate_all("links => links.map((link) => link.href)")
            for address in further:
                page.goto(address)
