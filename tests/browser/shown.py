"""A viewer on a page: what its canvas shows, and hands that work it."""

from typing import Any

import numpy as np
from playwright.sync_api import Locator, expect

from tests import pictures

COLUMNS, ROWS = 4000, 3000
"""Twelve megapixels."""
WORDS_HIGH = 30
"""CSS pixels that a pane keeps free above and below a picture."""

# Red, green and blue of a canvas at places in CSS pixels; read from a copy, since the canvas is made to be drawn on.
_COLOURS = """async (canvas, places) => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  const drawing = copy.getContext("2d", { willReadFrequently: true });
  drawing.drawImage(canvas, 0, 0);
  const ratio = canvas.width / canvas.clientWidth;
  const colour = (x, y) => [...drawing.getImageData(Math.round(x * ratio), Math.round(y * ratio), 1, 1).data];
  return places.map(([x, y]) => colour(x, y).slice(0, 3));
}"""


def ramp(falling: bool = False) -> bytes:
    """A film of 12 bits that grows brighter from left to right, or darker: what is seen says where one looks."""
    values = np.linspace(0, 4000, COLUMNS).astype(np.uint16)
    return pictures.dicom(
        np.tile(values[::-1] if falling else values, (ROWS, 1)),
        BitsStored=12,
        HighBit=11,
        WindowCenter=[2000.5, 1000.5],
        WindowWidth=[4001, 1001],
        WindowCenterWidthExplanation=["WIDE", "DARK"],
        ImagerPixelSpacing=[0.1, 0.1],
        PatientOrientation=["L", "F"],
    )


class Shown:
    """A viewer on a page, and what its first pane shows."""

    def __init__(self, root: Locator, columns: int, rows: int) -> None:
        self.root, self.columns, self.rows = root, columns, rows
        # At once, not smoothly: a hand does not reach for what is on its way.
        root.evaluate("(viewer) => viewer.scrollIntoView({ behavior: 'instant' })")
        expect(root.locator("[data-say]")).to_have_text("The full picture is shown.")

    def pane(self, number: int = 0) -> Locator:
        return self.root.locator(".viewer-pane").nth(number)

    def foot(self, number: int = 0) -> Locator:
        return self.pane(number).locator(".viewer-foot")

    def at(self, x: float, y: float, number: int = 0) -> tuple[float, float]:
        """Where in a pane a place of the picture, in shares of it, is while all of it is seen."""
        box = self.pane(number).bounding_box()
        assert box
        scale = min(box["width"] / self.columns, (box["height"] - 2 * WORDS_HIGH) / self.rows)
        return (
            box["width"] / 2 + (x - 0.5) * self.columns * scale,
            box["height"] / 2 + (y - 0.5) * self.rows * scale,
        )

    def colours(self, *places: tuple[float, float], number: int = 0) -> list[list[int]]:
        """Red, green and blue at places of a pane."""
        drawn: list[list[int]] = self.pane(number).locator("canvas").evaluate(_COLOURS, places)
        return drawn

    def grey(self, place: tuple[float, float], number: int = 0) -> int:
        [[red, green, blue]] = self.colours(place, number=number)
        assert red == green == blue
        return red

    def hover(self, place: tuple[float, float]) -> None:
        self.pane().hover(position={"x": place[0], "y": place[1]})

    def drag(self, start: tuple[float, float], end: tuple[float, float], button: Any = "left") -> None:
        box = self.pane().bounding_box()
        assert box
        mouse = self.root.page.mouse
        mouse.move(box["x"] + start[0], box["y"] + start[1])
        mouse.down(button=button)
        mouse.move(box["x"] + end[0], box["y"] + end[1], steps=4)
        mouse.up(button=button)

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)
