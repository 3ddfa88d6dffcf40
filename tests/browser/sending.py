"""The send page in a person's hands."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from playwright.sync_api import Locator, Page, expect

from tests import pictures
from tests.integration.site import Site

FILES = "**/send/files/"


def fresh(count: int, prefix: str = "chest") -> list[tuple[str, bytes]]:
    """Pictures that nobody has sent before."""
    seed = uuid4().int % 1_000_000
    return [(f"{prefix}-{n}.png", pictures.png(pictures.phantom(seed=seed + n))) for n in range(count)]


def dicom_of(patient: str, **fields: str) -> bytes:
    return pictures.dicom(pictures.phantom(seed=uuid4().int % 1_000_000), PatientID=patient, **fields)


def rows(page: Page) -> Locator:
    return page.locator(".send-row")


def row(page: Page, name: str) -> Locator:
    return rows(page).filter(has=page.get_by_text(name, exact=True))


def go(page: Page) -> None:
    page.get_by_role("button", name=re.compile(r"^Send \d+ files?$")).click()


def expect_all_answered(page: Page, count: int) -> None:
    expect(page.locator("#send-progress")).to_have_text(
        f"All {count} files have their answers." if count > 1 else "The file has its answer.", timeout=60_000
    )


def images_of(site: Site, patient: str) -> list[str]:
    """The names of the files that were taken in, opened by the product itself: the rows have them sealed."""
    code = (
        "import json\nfrom diagnoses.models import Image\nfrom diagnoses.selectors.patients import find_patient\n"
        f"images = Image.objects.filter(study__subject=find_patient({patient!r})).select_related('study__subject')\n"
        "print(json.dumps(sorted(image.filename for image in images)))"
    )
    names: list[str] = json.loads(site.shell(code))
    return names


def kept(page: Page) -> int:
    """How many records of files this browser keeps, whoever's they are."""
    return int(
        page.evaluate(
            """() => new Promise((resolve) => {
              const request = indexedDB.open("cxr-send", 1);
              request.onsuccess = () => {
                const database = request.result;
                const count = database.transaction("files").objectStore("files").count();
                count.onsuccess = () => { database.close(); resolve(count.result); };
              };
            })"""
        )
    )


@contextmanager
def line_cut(page: Page) -> Iterator[None]:
    """No file gets through as long as the context lasts."""
    page.route(FILES, lambda route: route.abort())
    yield
    page.unroute(FILES)
