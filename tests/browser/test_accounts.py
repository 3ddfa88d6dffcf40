"""Signing in with a second factor, and being told that the session ends, in a real browser."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import OpenPage, Watch
from tests.browser.hands import Account
from tests.diagnoses.signing_in import code_at
from tests.integration.site import Site


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


def test_a_page_says_that_its_session_ends_and_that_it_has_ended(
    open_page: OpenPage, people: tuple[Account, Account], clinician: Account
) -> None:
    left = [100]

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            left[0] = 900
        route.fulfill(json={"left": left[0], "last": False})

    with open_page() as page:
        give_password(page, clinician)
        expect(page.get_by_role("button", name=f"Account: {clinician.name}")).to_be_visible()
        page.route("**/account/session/", answer)
        look = "document.dispatchEvent(new Event('visibilitychange'))"
        expect(page.get_by_role("button", name="Stay signed in")).to_be_hidden()
        page.evaluate(look)
        page.get_by_role("button", name="Stay signed in").click()
        expect(page.get_by_role("button", name="Stay signed in")).to_be_hidden()
        assert left == [900]
        left[0] = 0
        page.evaluate(look)
        expect(page.get_by_text("You were signed out.")).to_be_visible()
