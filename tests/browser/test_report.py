"""The report in a browser: previewed, printed without what belongs to the screen, fetched as a file."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, ReadStudy
from tests.browser.hands import Account, sign_in
from tests.pdf import Pdf

CHROME = "header.navbar, .report-tools, body > footer, .skip, .action, .viewer-bar, .viewer-panes, .reading-form"


def assert_only_the_document_is_seen(page: Page) -> None:
    for part in page.locator(CHROME).all():
        expect(part).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_a_report_is_previewed_printed_and_fetched(
    open_page: OpenPage, clinician: Account, read_study: ReadStudy, tmp_path: Path
) -> None:
    with open_page(color_scheme="dark", accept_downloads=True) as page:
        sign_in(page, clinician)
        page.goto(read_study.path)
        page.get_by_role("link", name="Report").click()
        report = page.get_by_role("article")
        expect(report).to_contain_text(read_study.badge)
        expect(report).to_contain_text("Not signed yet.")
        expect(page.get_by_role("button", name="Print")).to_be_visible()
        page.wait_for_load_state("networkidle")
        drawn = page.locator(".report-pictures img").evaluate_all("all => all.map((one) => one.naturalWidth)")
        assert len(drawn) == 4
        assert min(drawn) > 0

        page.emulate_media(media="print", color_scheme="dark")
        expect(report).to_be_visible()
        assert_only_the_document_is_seen(page)
        page.goto(read_study.path)
        expect(page.get_by_alt_text("Radiograph", exact=False).first).to_be_visible()
        assert_only_the_document_is_seen(page)

        page.emulate_media(media="screen")
        page.get_by_role("link", name="Report").click()
        page.get_by_role("link", name="Tiếng Việt").first.click()
        expect(report).to_have_attribute("lang", "vi")
        address = page.get_by_role("link", name="Open as PDF").get_attribute("href") or ""
        pdf = Pdf(page.request.get(address).body())
        assert b"/Lang (vi)" in pdf.catalogue()
        assert read_study.patient in pdf.text
        with page.expect_download() as download:
            page.get_by_role("link", name="JSON").click()
        assert read_study.patient in Path(download.value.path()).read_text()
        assert read_study.patient not in download.value.suggested_filename


def test_a_report_fits_a_telephone(open_page: OpenPage, clinician: Account, read_study: ReadStudy) -> None:
    with open_page(viewport={"width": 360, "height": 740}) as page:
        sign_in(page, clinician)
        page.goto(f"{read_study.path}report/")
        expect(page.get_by_role("article")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
