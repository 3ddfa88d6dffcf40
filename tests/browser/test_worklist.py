"""The worklist in a real browser: by keys alone, while others send, for two at once, and in the first minutes."""

import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, ReadStudy
from tests.browser.hands import ALL_ANSWERED, STUDY, Account, sign_in
from tests.integration.site import Site, ended_study, post_study

# Ask at once instead of in ten seconds: what a tab does that is looked at again.
LOOK_AGAIN = "() => document.dispatchEvent(new Event('visibilitychange'))"


@pytest.fixture
def newcomer(site: Site) -> Account:
    """One who has never sent anything."""
    name = f"newcomer-{uuid.uuid4().hex[:8]}"
    account = Account(name, f"{name} has a long password")
    site.add_clinician(*account)
    return account


def send_by_api(site: Site, account: Account, png: bytes, patient: str) -> str:
    with site.client(account.name) as client:
        answer = post_study(client, [(f"{patient}.png", png)], patient_id=patient)
        ended_study(client, answer.json()["id"])
    return str(answer.json()["id"])


def focused_row(page: Page) -> str:
    return str(page.evaluate("() => document.activeElement.closest('tr')?.dataset.study ?? ''"))


def test_the_list_is_gone_through_and_a_study_opened_by_keys_alone(
    site: Site, page: Page, newcomer: Account, png: bytes
) -> None:
    for number in range(3):
        send_by_api(site, newcomer, png, f"KEY-{number}")
    sign_in(page, newcomer)
    page.goto("/")
    order = [row.get_attribute("data-study") for row in page.locator("#rows tr").all()]
    page.keyboard.press("j")
    assert focused_row(page) == order[0]
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert focused_row(page) == order[1]
    page.keyboard.press("x")
    expect(page.locator("#selected-count")).to_have_text("1 selected")
    expect(page.locator("#rows tr").nth(1).get_by_role("checkbox")).to_be_checked()
    page.locator("#select-all").press("Enter")
    expect(page.locator(".badge.urgent")).to_have_count(0)
    page.locator("#rows tr").nth(1).get_by_role("checkbox").press("Enter")
    page.wait_for_url(f"**/studies/{order[1]}/")
    page.go_back()
    expect(page.locator("#selected-count")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search")).to_be_focused()
    page.keyboard.type("jkx?")
    expect(page.get_by_role("searchbox", name="Search")).to_have_value("jkx?")
    page.keyboard.press("Control+a")
    page.keyboard.type("KEY-2")
    page.keyboard.press("Enter")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(STUDY)
    expect(page.get_by_role("heading", level=1)).to_contain_text("KEY-2")


def test_single_keys_can_be_switched_off(site: Site, page: Page, newcomer: Account, png: bytes) -> None:
    send_by_api(site, newcomer, png, "OFF-1")
    sign_in(page, newcomer)
    page.goto("/")
    page.get_by_role("button", name="Keys").click()
    page.get_by_label("Use these keys on this device").uncheck()
    page.get_by_role("button", name="Close").click()
    page.reload()
    page.keyboard.press("j")
    assert focused_row(page) == ""


def test_what_is_new_is_announced_and_nothing_moves_under_the_hands(
    site: Site, page: Page, newcomer: Account, png: bytes
) -> None:
    first = send_by_api(site, newcomer, png, "STAY-1")
    second = send_by_api(site, newcomer, png, "STAY-2")
    sign_in(page, newcomer)
    page.goto("/")
    page.keyboard.press("j")
    page.keyboard.press("x")
    held = focused_row(page)
    page.evaluate("() => { document.getElementById('rows').dataset.mark = 'same' }")
    site.rows("UPDATE diagnoses_study SET urgent = true WHERE id = %s RETURNING id", held)
    send_by_api(site, newcomer, png, "STAY-3")
    page.evaluate(LOOK_AGAIN)
    expect(page.locator("#worklist-news")).to_have_text("1 new: show")
    expect(page.locator(f"#study-{held}")).to_contain_text("Urgent")
    assert [row.get_attribute("data-study") for row in page.locator("#rows tr").all()] in (
        [first, second],
        [second, first],
    )
    assert focused_row(page) == held
    expect(page.locator(f"#study-{held}").get_by_role("checkbox")).to_be_checked()
    expect(page.locator("#rows")).to_have_attribute("data-mark", "same")
    page.get_by_role("link", name="show").click()
    expect(page.locator("#rows tr")).to_have_count(3)


def test_a_view_is_saved_chosen_renamed_and_deleted(page: Page, clinician: Account, read_study: ReadStudy) -> None:
    sign_in(page, clinician)
    page.goto("/?search=READ")
    page.get_by_role("button", name="Saved views").click()
    page.get_by_label("Save this view as").fill("Reads")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The view “Reads” is saved.")).to_be_visible()
    page.goto("/")
    page.get_by_role("button", name="Saved views").click()
    page.get_by_role("link", name="Reads").click()
    expect(page.get_by_role("searchbox", name="Search")).to_have_value("READ")
    page.get_by_role("button", name="Saved view: Reads").click()
    page.locator("summary", has_text="Change").click()
    page.get_by_label("Name", exact=True).fill("Mine")
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("button", name="Saved view: Mine").click()
    page.locator("summary", has_text="Change").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("button", name="Saved views")).to_be_visible()


def test_two_users_at_once_each_see_their_own(
    site: Site, open_page: OpenPage, newcomer: Account, clinician: Account, read_study: ReadStudy, png: bytes
) -> None:
    send_by_api(site, newcomer, png, "TWO-1")
    with open_page() as one, open_page() as other:
        sign_in(one, clinician)
        sign_in(other, newcomer)
        one.goto("/?search=READ-1")
        other.goto("/")
        expect(one.locator("#rows")).to_contain_text(read_study.patient)
        expect(other.locator("#rows tr")).to_have_count(1)
        expect(other.locator("#rows")).to_contain_text("TWO-1")
        other.get_by_role("button", name="Notices").click()
        expect(other.locator("#bell-status")).to_have_text("1 notice not seen yet")
        other.get_by_role("button", name="A study that you sent is answered").click()
        other.wait_for_url(STUDY)
        expect(other.locator("#bell-count")).to_have_text("")


def test_a_newcomer_comes_from_an_empty_list_to_an_answer_and_its_meaning(page: Page, newcomer: Account) -> None:
    sign_in(page, newcomer)
    page.goto("/")
    expect(page.get_by_role("heading", name="Nothing has been sent yet. This is how it goes:")).to_be_visible()
    page.get_by_role("button", name="Try it with a sample").click()
    page.wait_for_url(STUDY)
    expect(page.get_by_text("Sample, no patient", exact=True)).to_be_visible()
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    expect(page.locator("[data-say]")).to_have_text("The full picture is shown.")
    page.goto("/")
    expect(page.locator("#rows")).to_contain_text("SAMPLE")
    page.locator("th summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("How likely the model holds pneumonia to be")).to_be_visible()
    page.get_by_role("link", name="What the words and numbers mean").click()
    expect(page.get_by_role("heading", name="Words and numbers")).to_be_visible()
