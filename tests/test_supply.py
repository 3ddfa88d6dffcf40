"""What ships is pinned by hash, listed, and under licences that a hospital can live with."""

import re
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.supply.bill import bill_of_materials
from tests.supply.licences import licence_list
from tests.supply.parts import ROOT, locked, models, packages, vendored

LOCKS = sorted((ROOT / "requirements" / "locks").glob("*.txt"))
SUPPLY = ROOT / "docs" / "supply"
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[.*?\])?==(\S+)", re.MULTILINE)


def pins_in(path: Path) -> dict[str, str]:
    return {name.lower().replace("_", "-"): version for name, version in PIN.findall(path.read_text())}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_package_of_a_lock_has_hashes(lock: Path) -> None:
    entries = re.split(r"\n(?=\S)", lock.read_text().strip())
    assert len(entries) > 50
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_holds_the_versions_that_the_requirements_ask_for(lock: Path) -> None:
    asked, held = pins_in(ROOT / "requirements.txt"), pins_in(lock)
    assert {name: version for name, version in held.items() if asked.get(name, version) != version} == {}


@pytest.mark.parametrize(("asked", "lock"), [("requirements.txt", "run.txt"), ("requirements/dev.txt", "dev.txt")])
def test_a_lock_holds_all_that_is_asked_for(asked: str, lock: str) -> None:
    held = pins_in(ROOT / "requirements" / "locks" / lock)
    assert {name for name, version in pins_in(ROOT / asked).items() if held.get(name) != version} == set()


@pytest.mark.parametrize("name", ["Makefile", "docker/web.Dockerfile", "docker/worker.Dockerfile"])
def test_nothing_is_installed_without_its_hash(name: str) -> None:
    installs = [line for line in (ROOT / name).read_text().splitlines() if re.search(r"pip\S* install", line)]
    assert installs
    assert [line for line in installs if "--require-hashes" not in line] == []


def test_no_lock_names_where_packages_come_from() -> None:
    assert [lock.name for lock in LOCKS if re.search(r"https?://|index-url|find-links", lock.read_text())] == []


def test_nothing_that_ships_is_under_the_gpl() -> None:
    parts = [*packages(), *vendored(), *models()]
    unknown = [part.name for part in parts if not part.licence or "UNKNOWN" in part.licence]
    strict = [part.name for part in parts if re.search(r"(?<!L)GPL|Affero|General Public", part.licence)]
    assert (unknown, strict) == ([], ["psycopg2-binary"])
    [psycopg2] = [part for part in parts if part.name == "psycopg2-binary"]
    assert "Lesser" in psycopg2.licence


def test_the_bill_of_materials_is_of_todays_lock_and_of_todays_files() -> None:
    assert (SUPPLY / "sbom.cdx.json").read_text() == bill_of_materials(), "run `make supply`"
    assert {part.name for part in packages()} <= {name for name, _ in locked()}


def test_the_bill_of_materials_is_cyclonedx() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill_of_materials()) is None


def test_the_list_of_licences_is_of_todays_lock() -> None:
    assert (SUPPLY / "licences.md").read_text() == licence_list(), "run `make supply`"
