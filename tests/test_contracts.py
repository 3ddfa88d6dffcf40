"""What must hold of the code as a whole."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parent.parent
NEVER_IN_THE_WEB = {"tensorflow", "keras", "openvino", "workers.tasks", "workers.runtime", "workers.drain"}
MAX_LINES = 400

# All that a web process can ever import: its entrance, its addresses, and every module of the product's room.
LOAD_THE_WEB = """
import importlib, json, pkgutil, sys
import cxrsite.asgi
import diagnoses
from django.urls import reverse
for module in pkgutil.walk_packages(diagnoses.__path__, "diagnoses."):
    importlib.import_module(module.name)
print(json.dumps({"address": reverse("api_studies"), "modules": sorted(sys.modules)}))
"""


def python_files() -> list[Path]:
    """The project's own, and not what was installed or made beside them."""
    rooms = ["cxrsite", "diagnoses", "workers", "tests"]
    return [ROOT / "manage.py", *(path for room in rooms for path in (ROOT / room).rglob("*.py"))]


def test_the_web_never_has_an_engine_or_a_worker_in_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD_THE_WEB], cwd=ROOT, env={**os.environ}, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["address"] == "/api/v1/studies/"
    loaded = set(found["modules"])
    assert {"cxrsite.asgi", "diagnoses.api.views", "diagnoses.management.commands.submit"} <= loaded
    assert loaded & NEVER_IN_THE_WEB == set()


@pytest.mark.django_db
def test_every_change_of_a_model_has_its_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db
def test_the_sites_own_checks_find_nothing() -> None:
    call_command("check", fail_level="WARNING")


def test_no_file_is_too_long_to_be_read() -> None:
    files = python_files()
    assert len(files) > 80
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}
