"""The send page: what is chosen, dropped, opened and refused, and what becomes of it."""

import io
import zipfile
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, Watch
from tests.browser.hands import ANSWERS, Account, choose, send, sign_in
from tests.browser.sending import FILES, dicom_of, expect_all_answered, fresh, go, images_of, kept, line_cut, row, rows
from tests.integration.site import Site


def test_a_zip_and_a_folder_are_opened_and_what_is_no_radiograph_is_left_out(signed_in: Page, tmp_path: Path) -> None:
    page = signed_in
    page.goto("/send/")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in fresh(2, "ward/zipped"):
            file.writestr(name, data)
        file.writestr("readme.txt", "no picture")
        file.writestr("inner.zip", b"PK\x03\x04 nested")
    choose(page, [("all.zip", archive.getvalue())])
    expect(row(page, "all.zip/ward/zipped-0.png")).to_be_visible()
    problems = page.locator("#send-problems")
    expect(problems).to_contain_text("1 file in there is no radiograph and was left out.")
    expect(problems).to_contain_text("all.zip/inner.zip: a ZIP file inside another is not opened.")
    (tmp_path / "night" / "deep").mkdir(parents=True)
    for name, data in fresh(2, "deep/folded"):
        (tmp_path / "night" / name).write_bytes(data)
    (tmp_path / "night" / "Thumbs.db").write_bytes(b"no picture")
    page.locator("#folder").set_input_files(tmp_path / "night")
    expect(row(page, "night/deep/folded-1.png")).to_be_visible()
    expect(page.locator("#send-summary")).to_contain_text("4 files")
    go(page)
    expect_all_answered(page, 4)


def test_a_dropped_folder_is_walked_to_its_end(signed_in: Page) -> None:
    page = signed_in
    page.goto("/send/")
    expect(page.locator("#tray")).to_be_visible()
    data = list(fresh(1)[0][1])
    # A script cannot make a real folder, so it stands in for one, which gives out its files in parts as browsers do.
    page.evaluate(
        """(data) => {
          const file = (name) => ({ isDirectory: false, fullPath: `/ward/${name}`,
            file: (give) => give(new File([new Uint8Array(data)], name)) });
          const folder = (parts) => ({ isDirectory: true, createReader: () => ({
            readEntries: (give) => give(parts.shift() ?? []) }) });
          const inner = folder([[file("deep/2.png")]]);
          const entry = folder([[file("10.png"), file("9.png")], [inner]]);
          const event = new Event("drop", { bubbles: true, cancelable: true });
          const item = { kind: "file", webkitGetAsEntry: () => entry };
          event.dataTransfer = { types: ["Files"], items: [item], files: [] };
          document.getElementById("content").dispatchEvent(event);
        }""",
        data,
    )
    expect(rows(page).locator(".send-name")).to_have_text(["ward/9.png", "ward/10.png", "ward/deep/2.png"])
    expect(rows(page).filter(has_text="The same file is in this list twice.")).to_have_count(2)


def test_a_damaged_zip_is_told_in_words(signed_in: Page) -> None:
    page = signed_in
    page.goto("/send/")
    expect(page.locator("#tray")).to_be_visible()
    payload: Any = {"name": "cut.zip", "mimeType": "application/zip", "buffer": b"PK\x03\x04 cut"}
    page.get_by_label("Frontal chest radiographs").set_input_files([payload])
    expect(page.locator("#send-problems")).to_contain_text("cut.zip: this ZIP file is damaged or of an unknown kind.")


def test_dicom_files_fill_in_their_patients_and_go_together_by_them(site: Site, signed_in: Page) -> None:
    page = signed_in
    page.goto("/send/")
    first = {"PatientSex": "F", "PatientBirthDate": "20200229", "AccessionNumber": "A-1", "StudyInstanceUID": "1.2.3"}
    choose(page, [("one.dcm", dicom_of("DCM-1", **first)), ("two.dcm", dicom_of("DCM-1", **first))])
    expect(page.get_by_label("Patient ID")).to_have_value("DCM-1")
    expect(page.get_by_label("Sex")).to_have_value("F")
    expect(page.get_by_label("Birth date")).to_have_value("2020-02-29")
    expect(page.get_by_label("Accession number")).to_have_value("A-1")
    expect(page.get_by_label("All of one patient")).to_be_checked()
    choose(page, [("three.dcm", dicom_of("DCM-2", StudyInstanceUID="1.2.4")), *fresh(1)])
    expect(page.get_by_label("As the DICOM files say")).to_be_checked()
    expect(page.locator("#send-summary")).to_contain_text("3 studies")
    group = page.get_by_role("region", name="Patient DCM-2")
    group.locator("summary").click()
    group.get_by_label("Patient ID").fill("DCM-2-MENDED")
    go(page)
    expect_all_answered(page, 4)
    assert images_of(site, "DCM-1") == ["one.dcm", "two.dcm"]
    assert images_of(site, "DCM-2-MENDED") == ["three.dcm"]
    patients = [site.pseudonym_of(patient) for patient in ("DCM-1", "DCM-2-MENDED")]
    [(batches,)] = site.rows(
        "SELECT count(DISTINCT batch) FROM diagnoses_study WHERE subject_id::text = ANY(%s)", patients
    )
    assert batches == 1


def test_each_file_its_own_patient_makes_as_many_studies(site: Site, signed_in: Page) -> None:
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(3, "own"))
    page.get_by_label("Each file its own patient").check()
    expect(page.locator("#send-summary")).to_contain_text("3 studies")
    go(page)
    expect_all_answered(page, 3)
    links = page.get_by_role("link", name="Open the study")
    assert len({link.get_attribute("href") for link in links.all()}) == 3


def test_a_file_that_was_sent_before_is_said_to_be_so_and_may_be_sent_again(
    site: Site, signed_in: Page, open_page: OpenPage, outsider: Account
) -> None:
    page = signed_in
    files = fresh(1, "again")
    send(page, files)
    study = page.url
    page.goto("/send/")
    page.get_by_role("button", name="Clear the answered").click()
    choose(page, files)
    expect(rows(page)).to_contain_text("This file was sent before (")
    expect(rows(page).get_by_role("link", name="See it")).to_have_attribute("href", study.removeprefix(site.url))
    go(page)
    expect_all_answered(page, 1)
    with open_page() as other:
        sign_in(other, outsider)
        other.goto("/send/")
        choose(other, files)
        expect(rows(other)).to_contain_text("Ready to send")
        assert "sent before" not in rows(other).inner_text()


def test_a_double_click_sends_each_file_once(site: Site, signed_in: Page, watch: Watch) -> None:
    watch.expect("status of 413")
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(3))
    page.get_by_label("Patient ID").fill("TWICE-1")
    page.route(FILES, lambda route: route.fulfill(status=413, body="<html>Too large</html>"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/send/files/") else None)
    click_twice = "(button) => { button.click(); button.click(); }"
    page.get_by_role("button", name="Send 3 files").evaluate(click_twice)
    expect(rows(page).filter(has_text="status 413")).to_have_count(3)
    page.unroute(FILES)
    page.get_by_role("button", name="Try again").evaluate_all(f"(buttons) => buttons.forEach({click_twice})")
    expect_all_answered(page, 3)
    assert len(asked) == 6
    assert len(images_of(site, "TWICE-1")) == 3


def test_a_file_is_cancelled_tried_again_and_added_to_while_others_run(
    site: Site, signed_in: Page, watch: Watch
) -> None:
    watch.expect("net::ERR_FAILED.*/send/files/")
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(3))
    page.get_by_label("Patient ID").fill("CANCEL-1")
    with line_cut(page):
        go(page)
        expect(page.locator("#send-notice")).to_contain_text("out of reach")
        row(page, "chest-1.png").get_by_role("button", name="Cancel").click()
        expect(row(page, "chest-1.png")).to_contain_text("Cancelled")
        choose(page, fresh(1, "late"))
        expect(page.locator("#send-summary")).to_contain_text("1 file")
    expect(row(page, "chest-0.png").locator(".verdict")).to_have_text(ANSWERS, timeout=40_000)
    expect(row(page, "chest-2.png").locator(".verdict")).to_have_text(ANSWERS)
    assert images_of(site, "CANCEL-1") == ["chest-0.png", "chest-2.png"]
    row(page, "chest-1.png").get_by_role("button", name="Try again").click()
    go(page)
    expect_all_answered(page, 4)
    assert images_of(site, "CANCEL-1") == ["chest-0.png", "chest-1.png", "chest-2.png"]


def test_what_is_removed_while_it_is_sent_does_not_come_back(signed_in: Page) -> None:
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(3))
    page.route(FILES, lambda route: None)  # it never ends
    with page.expect_request(FILES):
        go(page)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Remove all").click()
    expect(page.get_by_text("No files yet.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("No files yet.")).to_be_visible()
    assert kept(page) == 0


def test_the_choice_of_whose_they_are_survives_a_reload(signed_in: Page) -> None:
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(2))
    page.get_by_label("Each file its own patient").check()
    expect(page.locator("#send-summary")).to_contain_text("2 studies")
    page.reload()
    expect(page.get_by_label("Each file its own patient")).to_be_checked()
    choose(page, fresh(1))
    expect(page.locator("#send-summary")).to_contain_text("3 studies")


def test_a_file_that_a_proxy_finds_too_large_is_not_tried_over_and_over(signed_in: Page, watch: Watch) -> None:
    watch.expect("status of 413")
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(1))
    page.route(FILES, lambda route: route.fulfill(status=413, body="<html>Too large</html>"))
    go(page)
    expect(rows(page)).to_contain_text("did not accept the file (status 413)")
    page.unroute(FILES)
    rows(page).get_by_role("button", name="Try again").click()
    expect_all_answered(page, 1)


def test_a_file_that_cannot_be_taken_is_told_with_its_reason(signed_in: Page, png: bytes) -> None:
    page = signed_in
    page.goto("/send/")
    choose(page, [("words.txt", b"no picture"), ("cut.png", png[:2000]), ("empty.dcm", b"")])
    expect(row(page, "words.txt")).to_contain_text("This is no PNG, JPEG or DICOM file")
    expect(row(page, "empty.dcm")).to_contain_text("The file is empty.")
    expect(page.locator("#send-summary")).to_contain_text("1 file")
    go(page)
    expect(row(page, "cut.png").locator(".verdict")).to_have_text("Refused")
    expect(row(page, "cut.png")).to_contain_text("The picture is damaged or cut short.")
    expect(page.get_by_role("link", name="Open the study")).to_have_count(0)


def test_all_is_done_by_keyboard_and_by_those_who_listen(signed_in: Page) -> None:
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(3))
    assert Axe().run(page).violations_count == 0, Axe().run(page).generate_report()
    row(page, "chest-0.png").get_by_role("button", name="Remove: chest-0.png").focus()
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(2)
    expect(page.get_by_role("button", name="Remove: chest-1.png")).to_be_focused()
    page.get_by_label("All of one patient").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#send-summary")).to_contain_text("2 studies")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Send 2 files")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#send-said")).to_have_text("All 2 files have their answers.", timeout=60_000)
    assert Axe().run(page).violations_count == 0, Axe().run(page).generate_report()


def test_a_second_tab_leaves_the_sending_to_the_first(signed_in: Page) -> None:
    page = signed_in
    page.goto("/send/")
    choose(page, fresh(1))
    second = page.context.new_page()
    second.goto("/send/")
    expect(second.locator("#send-notice")).to_contain_text("This page is open in another tab")
    page.close()
    expect(second.locator("#send-notice")).to_be_hidden()
    expect(rows(second)).to_have_count(1)


def test_what_is_dropped_while_another_tab_sends_waits_and_what_cannot_be_read_is_told(
    signed_in: Page, watch: Watch
) -> None:
    page = signed_in
    page.goto("/send/")
    expect(page.locator("#tray")).to_be_visible()
    second = page.context.new_page()
    watch.follow(second)
    second.goto("/send/")
    expect(second.locator("#send-notice")).to_contain_text("This page is open in another tab")
    second.evaluate(
        """(data) => {
          const there = new File([new Uint8Array(data)], "there.png");
          const locked = new File([new Uint8Array(data)], "locked.png");
          locked.slice = () => ({ arrayBuffer: () => Promise.reject(new DOMException("", "NotReadableError")) });
          const event = new Event("drop", { bubbles: true, cancelable: true });
          event.dataTransfer = { types: ["Files"], items: [], files: [locked, there] };
          document.getElementById("content").dispatchEvent(event);
        }""",
        list(fresh(1)[0][1]),
    )
    page.close()
    lost = "locked.png: This browser no longer has the file. Choose it again."
    expect(second.locator("#send-problems")).to_have_text(lost)
    expect(rows(second)).to_have_count(1)
    expect(row(second, "there.png")).to_contain_text("Ready to send")
    expect(second.get_by_role("button", name="Send 1 file")).to_be_enabled()


def test_without_a_script_the_form_sends_a_study(site: Site, open_page: OpenPage, clinician: Account) -> None:
    with open_page(java_script_enabled=False) as page:
        page.goto("/send/")
        page.get_by_label("User name").fill(clinician.name)
        page.get_by_label("Password").fill(clinician.password)
        page.get_by_role("button", name="Sign in").click()
        [(name, data)] = fresh(1)
        payload: Any = {"name": name, "mimeType": "image/png", "buffer": data}
        page.get_by_label("Frontal chest radiographs").set_input_files([payload])
        page.get_by_label("Patient ID").fill("PLAIN-1")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("heading", name="Patient PLAIN-1")).to_be_visible()
    assert images_of(site, "PLAIN-1") == [name]
