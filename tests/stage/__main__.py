"""`python -m tests.stage FOLDER [NAME…]`: every page in both languages, by day and night, on a desk and a telephone."""

import argparse
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium_options import launch
from tests.browser.hands import Account, sign_in_silently, visit
from tests.integration.site import Site
from tests.stage.screens import PASSWORD, SCREENS, Screen
from tests.stage.site import furnish

LANGUAGES = ("en", "vi")
THEMES = ("light", "dark")
SIZES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1440, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
_TALLEST = 1800
"""Pixels; what is longer is cut off."""
_COLOURS = 96
_MOST_COLOURS = 256
_WITH_PICTURES = ("study", "compare", "report")


def main() -> int:
    """Exit status 0 once all pictures are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="of pages; all without any")
    options = parser.parse_args()
    wanted = [screen for screen in SCREENS if not options.names or screen.name in options.names]
    with _stage() as (site, known), sync_playwright() as playwright:
        browser = launch(playwright)
        for language, theme, size in product(LANGUAGES, THEMES, SIZES):
            _take_all(browser, site, known, wanted, (language, theme, size), options.folder)
    return 0


@contextmanager
def _stage() -> Iterator[tuple[Site, Mapping[str, str]]]:
    folder = Path(tempfile.mkdtemp(prefix="cxr-stage-"))
    site = Site(folder)
    try:
        site.start().wait_until_ready()
        yield site, furnish(site)
    finally:
        site.destroy()
        shutil.rmtree(folder, ignore_errors=True)


def _take_all(
    browser: Browser,
    site: Site,
    known: Mapping[str, str],
    wanted: list[Screen],
    variant: tuple[str, str, str],
    folder: Path,
) -> None:
    language, theme, size = variant
    for user in dict.fromkeys(screen.user for screen in wanted):
        context = browser.new_context(
            base_url=site.url,
            color_scheme=theme,  # type: ignore[arg-type]
            locale={"en": "en-GB", "vi": "vi-VN"}[language],
            reduced_motion="reduce",
            **SIZES[size],
        )
        page = context.new_page()
        if user:
            sign_in_silently(page, Account(user, PASSWORD))
        for screen in wanted:
            if screen.user == user:
                visit(page, screen, known)
                _save(page, folder / f"{screen.name}-{language}-{theme}-{size}.png")
        context.close()


def _save(page: Page, path: Path) -> None:
    page.wait_for_load_state("networkidle")
    height = min(_TALLEST, page.evaluate("document.documentElement.scrollHeight"))
    width = page.evaluate("window.innerWidth")
    shot = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height})
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    # A few colours are enough for a page without radiographs, and a quarter of the size.
    if path.name.startswith(_WITH_PICTURES):
        picture.quantize(_MOST_COLOURS, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
    else:
        picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path, f"{path.stat().st_size / 1024:.0f} kB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
