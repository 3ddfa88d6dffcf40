"""The viewer in a browser: what is seen on its canvas when a mouse, keys or fingers ask for it."""

import re
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, ReadStudy, Watch
from tests.browser.hands import ALL_ANSWERED, Account, send, sign_in
from tests.browser.shown import COLUMNS, ROWS, Shown, ramp
from tests.integration.site import Site, ended_study, post_study

# Frames in a second while something is dragged round and round, each frame asked for by a move of the pointer.
_FRAMES = """async (canvas) => {
  const box = canvas.getBoundingClientRect();
  const send = (type, turn) => canvas.dispatchEvent(new PointerEvent(type, {
    bubbles: true, pointerId: 1, movementX: 1,
    clientX: box.left + 300 + 80 * Math.sin(turn), clientY: box.top + 300 + 80 * Math.cos(turn),
  }));
  canvas.setPointerCapture = () => {};
  send("pointerdown", 0);
  const began = performance.now();
  let [frames, last, longest] = [0, began, 0];
  while (last - began < 1500) {
    send("pointermove", frames / 5);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    [frames, longest, last] = [frames + 1, Math.max(longest, now - last), now];
  }
  send("pointerup", 0);
  return [frames / (last - began) * 1000, longest];
}"""


@pytest.fixture(scope="session")
def film(running_site: Site, clinician: Account) -> str:
    """The path of a patient's second study; the first one's film runs the other way."""
    running_site.wait_until_ready()
    with running_site.client(clinician.name) as client:
        for name, falling in (("before.dcm", True), ("after.dcm", False)):
            answer = post_study(client, [(name, ramp(falling))], patient_id="FILM-1")
            study = ended_study(client, answer.json()["id"])
    return f"/studies/{study['id']}/"


@pytest.fixture
def shown(signed_in: Page, film: str) -> Shown:
    signed_in.set_viewport_size({"width": 1280, "height": 900})
    signed_in.goto(film)
    return Shown(signed_in.locator("[data-viewer]"), COLUMNS, ROWS)


@pytest.fixture
def heated(signed_in: Page, read_study: ReadStudy) -> Shown:
    """A radiograph with its heatmap."""
    signed_in.goto(read_study.path)
    return Shown(signed_in.locator("[data-viewer]"), 1841, 1955)


@pytest.fixture
def cells(site: Site, read_study: ReadStudy) -> NDArray[np.uint8]:
    """The heatmap as it is stored: a small grey picture, 255 where the attention was highest."""
    [(heatmap,)] = site.rows("SELECT heatmap FROM diagnoses_result WHERE job_id = %s", read_study.job_id)
    stored = np.frombuffer(bytes(heatmap), np.uint8)
    return np.asarray(cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE), np.uint8)


def middle_of(cells: NDArray[np.uint8], choose: Callable[[NDArray[np.uint8]], np.intp]) -> tuple[float, float]:
    row, column = np.unravel_index(choose(cells), cells.shape)
    return (float(column) + 0.5) / cells.shape[1], (float(row) + 0.5) / cells.shape[0]


def test_the_mouse_sets_window_and_place_and_measures(shown: Shown) -> None:
    middle, right = shown.at(0.5, 0.5), shown.at(0.75, 0.5)
    assert shown.grey(middle) == pytest.approx(128, abs=2)
    assert shown.grey(right) == pytest.approx(191, abs=2)
    expect(shown.foot()).to_contain_text("Level 2,001, width 4,001")
    expect(shown.pane().locator(".viewer-line")).to_contain_text("FILM-1 · sent ")
    expect(shown.pane().locator(".viewer-left")).to_have_text("R")
    expect(shown.pane().locator(".viewer-right")).to_have_text("L")

    shown.drag(middle, (middle[0] - 200, middle[1]))  # to the left: a narrower window, more contrast
    assert shown.grey(middle) == pytest.approx(128, abs=2)
    assert shown.grey(right) > 220
    shown.drag(middle, (middle[0], middle[1] + 50))  # down: a higher level, darker
    assert shown.grey(middle) < 110
    expect(shown.root.get_by_label("Preset")).to_have_value("")
    shown.button("Reset").click()
    assert shown.grey(middle) == pytest.approx(128, abs=2)

    shown.hover(right)
    shown.root.page.mouse.wheel(0, -400)
    assert shown.grey(right) == pytest.approx(191, abs=2), "what is under the pointer stays there"
    assert shown.grey(shown.at(0.9, 0.5)) < 220
    expect(shown.foot()).not_to_contain_text("Zoom 20%")
    shown.button("Move").click()
    shown.drag(right, middle)
    assert shown.grey(middle) == pytest.approx(191, abs=2)
    shown.button("Fit").click()
    assert shown.grey(middle) == pytest.approx(128, abs=2)
    shown.button("1:1").click()
    expect(shown.foot()).to_contain_text("Zoom 100%")

    shown.button("Fit").click()
    shown.button("Ruler").click()
    shown.drag(shown.at(0.25, 0.8), shown.at(0.75, 0.8))
    told = shown.foot().locator("[data-length]")
    expect(told).to_have_text(re.compile(r"^(199|200)\.\d mm at the detector; in the body less$"))
    for place in (shown.at(0.5, 0.2), shown.at(0.5, 0.3)):  # two clicks do what dragging does
        shown.pane().click(position={"x": place[0], "y": place[1]})
    expect(told).to_have_text(re.compile(r"^(29|30)\.\d mm"))
    shown.button("Remove").click()
    expect(told).to_be_empty()


def test_presets_fields_and_invert_set_the_window(shown: Shown) -> None:
    quarter, middle = shown.at(0.25, 0.5), shown.at(0.5, 0.5)
    preset = shown.root.get_by_label("Preset")
    expect(preset.locator("option")).to_have_text(
        ["By hand", "WIDE", "DARK", "Full range", "Lung", "Soft tissue", "Bone"]
    )
    preset.select_option("DARK")
    assert shown.grey(quarter) == pytest.approx(128, abs=2)
    assert shown.grey(middle) == 255
    preset.select_option("Lung")
    assert shown.grey(quarter) == pytest.approx(255 * 0.25 / 0.6, abs=3)
    preset.select_option("Bone")
    assert shown.grey(quarter) == 0
    preset.select_option("Full range")
    assert shown.grey(middle) == pytest.approx(128, abs=2)
    shown.root.get_by_label("Level").fill("3000")
    shown.root.get_by_label("Width").fill("2001")
    assert shown.grey(shown.at(0.75, 0.5)) == pytest.approx(128, abs=2)
    assert shown.grey(middle) == pytest.approx(0, abs=2)
    shown.button("Invert").click()
    expect(shown.button("Invert")).to_have_attribute("aria-pressed", "true")
    assert shown.grey(middle) == pytest.approx(255, abs=2)
    shown.button("Invert").click()
    shown.button("Move").click()
    shown.button("Fit").click()
    preset.select_option("WIDE")
    before = shown.grey(middle)
    shown.button("Move left").click()
    assert shown.grey(middle) > before
    shown.button("Move right").click()
    assert shown.grey(middle) == pytest.approx(before, abs=2)


def test_everything_goes_by_keyboard(shown: Shown) -> None:
    keys, middle = shown.root.page.keyboard, shown.at(0.5, 0.5)
    shown.button("Window").focus()
    for _ in range(30):
        if shown.pane().evaluate("(pane) => pane === document.activeElement"):
            break
        keys.press("Tab")
    expect(shown.pane()).to_be_focused()
    keys.press("ArrowUp")
    assert shown.grey(middle) > 130
    keys.press("i")
    assert shown.grey(middle) < 125
    keys.press("x")
    assert shown.grey(middle) == pytest.approx(128, abs=2)
    keys.press("p")
    expect(shown.root.get_by_label("Preset")).to_have_value("look:1")
    keys.press("x")
    for key in "++m":
        keys.press(key)
    keys.press("ArrowLeft")
    assert shown.grey(middle) > 130
    keys.press("0")
    keys.press("r")
    told = shown.foot().locator("[data-length]")
    expect(told).to_contain_text("mm at the detector")
    first = told.inner_text()
    keys.press("Shift+ArrowRight")
    expect(told).not_to_have_text(first)
    keys.press("e")
    keys.press("Shift+ArrowRight")
    expect(told).to_have_text(first)
    expect(shown.root.locator("[data-say]")).to_have_text(first)
    keys.press("Delete")
    expect(told).to_be_empty()
    keys.press("?")
    dialog = shown.root.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    keys.press("Escape")
    expect(dialog).to_be_hidden()
    expect(shown.pane()).to_be_focused()


def test_an_earlier_study_lies_beside_it_and_follows_its_zoom_with_a_window_of_its_own(shown: Shown) -> None:
    expect(shown.root.locator(".viewer-pane")).to_have_count(1)
    shown.root.get_by_label("Compare").select_option(index=1)
    expect(shown.root.locator(".viewer-pane")).to_have_count(2)
    expect(shown.foot(1)).to_contain_text("Level 2,001")
    quarter = shown.at(0.25, 0.5)
    assert shown.grey(quarter) == pytest.approx(64, abs=3)
    assert shown.grey(quarter, 1) == pytest.approx(191, abs=3)
    shown.hover(quarter)
    shown.root.page.mouse.wheel(0, -400)
    assert shown.grey(quarter) == pytest.approx(64, abs=3)
    assert shown.grey(quarter, 1) == pytest.approx(191, abs=3)
    zooms = [re.findall(r"Zoom \d+%", shown.foot(number).inner_text()) for number in (0, 1)]
    assert zooms[0] == zooms[1]
    shown.root.get_by_label("Preset").select_option("DARK")
    expect(shown.foot(0)).to_contain_text("Level 1,001")
    expect(shown.foot(1)).to_contain_text("Level 2,001")
    shown.root.get_by_label("Compare").select_option("with nothing")
    expect(shown.root.locator(".viewer-pane")).to_have_count(1)


def test_a_refused_film_has_no_controls_of_a_heatmap(shown: Shown) -> None:
    expect(shown.root.get_by_role("combobox", name="Heatmap")).to_have_count(0)
    expect(shown.root.get_by_label("Opacity")).to_have_count(0)


def test_twelve_megapixels_are_dragged_frame_by_frame(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    """Measured and told, not judged: the machine may be busy with other things."""
    told = []
    canvas = shown.pane().locator("canvas")
    for zoom in ("Fit", "1:1"):
        for tool in ("Window", "Move"):
            shown.button(zoom).click()
            shown.button(tool).click()
            frames, longest = canvas.evaluate(_FRAMES)
            told.append(f"{tool} at {zoom}: {frames:.0f} frames a second, the longest {longest:.0f} ms")
    width, height = canvas.evaluate("(canvas) => [canvas.width, canvas.height]")
    with capsys.disabled():
        print(f"\n12 megapixels on a canvas of {width} x {height}: {'; '.join(told)}")


def test_the_heatmap_is_hot_where_the_model_looked_and_seen_through_where_it_did_not(
    heated: Shown, cells: NDArray[np.uint8]
) -> None:
    assert cells.max() > 220, "this radiograph leaves the model cold; the test needs another"
    assert cells.min() < 10
    hot, cold = (heated.at(*middle_of(cells, choose)) for choose in (np.argmax, np.argmin))
    mode = heated.root.get_by_role("combobox", name="Heatmap")
    mode.select_option("hidden")
    plain_hot, plain_cold = heated.grey(hot), heated.grey(cold)
    mode.select_option("over the picture")
    [[red, green, blue]] = heated.colours(hot)
    assert max(red, green, blue) > min(red, green, blue) + 20
    assert np.abs(np.array(heated.colours(cold)[0]) - plain_cold).max() < 15

    heated.root.get_by_label("Colours").select_option("jet")
    expect(heated.root.locator("[data-scale]")).to_have_attribute("src", re.compile("jet"))
    heated.root.get_by_label("Opacity").fill("100")
    [[red, green, blue]] = heated.colours(hot)
    assert red > 100
    assert red > 2 * max(green, blue)
    heated.root.get_by_label("Colours").select_option("viridis")
    expect(heated.root.locator("[data-scale]")).to_have_attribute("src", re.compile("viridis"))
    [[red, green, blue]] = heated.colours(hot)
    assert min(red, green) > blue  # from dark violet to yellow

    opacity = heated.root.get_by_label("Opacity")
    opacity.fill("0")
    assert heated.grey(hot) == plain_hot
    opacity.fill("100")
    warm = heated.at(*middle_of(np.where(cells > 180, 0, cells).astype(np.uint8), np.argmax))
    before = heated.colours(warm)
    heated.root.get_by_label("Hide below").fill("85")
    assert heated.colours(warm) != before
    assert len(set(heated.colours(warm)[0])) == 1, "what is below the cut-off is seen through"

    mode.select_option("beside it")
    expect(heated.root.locator(".viewer-pane")).to_have_count(2)
    hot = heated.at(*middle_of(cells, np.argmax))
    assert heated.grey(hot) == pytest.approx(plain_hot, abs=12)
    assert len(set(heated.colours(hot, number=1)[0])) > 1


def test_the_controls_of_one_image_leave_another_alone(site: Site, signed_in: Page, png: bytes) -> None:
    page = signed_in
    send(page, [("one.png", png), ("two.png", png)])
    expect(page.locator("#progress")).to_have_text(ALL_ANSWERED)
    first, second = page.locator("[data-image]").nth(0), page.locator("[data-image]").nth(1)
    for section in (second, first):
        section.locator(".viewer").scroll_into_view_if_needed()
        expect(section.locator("[data-say]")).to_have_text("The full picture is shown.")
    second.get_by_role("button", name="Invert").click()
    second.get_by_role("combobox", name="Heatmap").select_option("beside it")
    expect(second.locator(".viewer-pane")).to_have_count(2)
    expect(first.locator(".viewer-pane")).to_have_count(1)
    expect(first.get_by_role("button", name="Invert")).to_have_attribute("aria-pressed", "false")


def test_a_full_picture_that_does_not_come_is_told_and_asked_for_again(
    site: Site, signed_in: Page, film: str, watch: Watch
) -> None:
    watch.expect("Failed to load resource")
    signed_in.route("**/pixels/", lambda route: route.abort())
    signed_in.goto(film)
    root = signed_in.locator("[data-viewer]")
    root.scroll_into_view_if_needed()
    expect(root.locator(".viewer-wait")).to_contain_text(
        "The full picture did not come; what is shown is a smaller copy."
    )
    expect(root.get_by_role("button", name="Invert")).to_be_disabled()
    signed_in.unroute("**/pixels/")
    root.get_by_role("button", name="Try again").click()
    expect(root.locator("[data-say]")).to_have_text("The full picture is shown.")
    expect(root.locator(".viewer-wait")).to_be_hidden()
    expect(root.get_by_role("button", name="Invert")).to_be_enabled()


def test_a_heatmap_or_colours_that_do_not_come_are_told_to_eyes_too(
    site: Site, signed_in: Page, read_study: ReadStudy, watch: Watch
) -> None:
    watch.expect("Failed to load resource")
    page = signed_in
    page.route("**/jet*", lambda route: route.abort())
    page.goto(read_study.path)
    shown = Shown(page.locator("[data-viewer]"), 1841, 1955)
    told = shown.root.locator("[data-missed]")
    expect(told).to_be_hidden()
    shown.root.get_by_label("Colours").select_option("jet")
    expect(told).to_have_text("These colours did not come. Choose them again to try again.")
    expect(told).to_be_visible()
    shown.root.get_by_label("Colours").select_option("viridis")
    expect(told).to_be_hidden()


def test_one_finger_sets_the_window_and_two_zoom(
    site: Site, open_page: OpenPage, clinician: Account, film: str
) -> None:
    telephone = {"width": 390, "height": 844}
    with open_page(viewport=telephone, is_mobile=True, has_touch=True, device_scale_factor=2) as page:
        sign_in(page, clinician)
        page.goto(film)
        shown = Shown(page.locator("[data-viewer]"), COLUMNS, ROWS)
        box = shown.pane().bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        fingers = page.context.new_cdp_session(page)

        def touch(kind: str, *places: tuple[float, float]) -> None:
            points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
            fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        touch("touchStart", (x, y))
        touch("touchMove", (x, y + 30))
        touch("touchMove", (x, y + 60))
        touch("touchEnd")
        expect(shown.foot()).to_contain_text(re.compile(r"Level 2,4\d\d, width 4,001"))
        before = shown.foot().locator("[data-values]").inner_text()
        touch("touchStart", (x - 30, y), (x + 30, y))
        touch("touchMove", (x - 50, y), (x + 50, y))
        touch("touchMove", (x - 90, y), (x + 90, y))
        touch("touchEnd")
        expect(shown.foot().locator("[data-values]")).not_to_have_text(before)
        expect(shown.foot()).to_contain_text(re.compile(r"Level 2,4\d\d, width 4,001"))

        shown.button("Ruler").click()
        length = shown.foot().locator("[data-length]")
        touch("touchStart", (x - 40, y))
        touch("touchMove", (x, y))
        touch("touchMove", (x + 40, y))
        touch("touchEnd")
        expect(length).to_contain_text("mm at the detector")
        measured, before = length.inner_text(), shown.foot().locator("[data-values]").inner_text()
        touch("touchStart", (x - 30, y - 60))
        touch("touchStart", (x - 30, y - 60), (x + 30, y - 60))
        touch("touchMove", (x - 90, y - 60), (x + 90, y - 60))
        touch("touchEnd")
        expect(shown.foot().locator("[data-values]")).not_to_have_text(before)
        expect(length).to_have_text(measured)
        height = shown.button("Window").bounding_box()
        assert height
        assert height["height"] >= 44


def test_without_javascript_the_pictures_stay(
    site: Site, open_page: OpenPage, clinician: Account, read_study: ReadStudy
) -> None:
    with open_page(java_script_enabled=False) as page:
        page.goto("/sign-in/")
        page.get_by_label("User name").fill(clinician.name)
        page.get_by_label("Password").fill(clinician.password)
        page.get_by_role("button", name="Sign in").click()
        page.goto(read_study.path)
        expect(page.locator(".viewer-plain img").first).to_be_visible()
        expect(page.get_by_alt_text("Heatmap over the radiograph")).to_be_visible()
        expect(page.locator(".viewer-bar").first).to_be_hidden()
