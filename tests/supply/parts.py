"""All that ships: packages by the lock, files of others that lie among ours, and the models' weights."""

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
LOCK = ROOT / "requirements" / "locks" / "run.txt"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[.*?\])?==(?P<version>\S+)(?: ; (?P<marker>.+?))? \\$", re.MULTILINE)
_VENDOR = ROOT / "diagnoses" / "static" / "vendor"
_MODELS = ROOT / "workers" / "models"

_SAID_OTHERWISE = {
    "namex": "Apache-2.0",  # its metadata are silent, its LICENSE says it
    "qrcode": "BSD-3-Clause",  # "Other/Proprietary" stands for the notice of QR Code's trademark
}


@dataclass(frozen=True)
class Part:
    """One thing that ships. `files` are its hashes (SHA-256) by path, where it lies in the repository."""

    name: str
    version: str
    licence: str
    files: dict[str, str]


def packages() -> list[Part]:
    """What `requirements/locks/run.txt` installs on this platform."""
    return [Part(name, version, _licence_of(name), {}) for name, version in locked() if _is_installed(name)]


def locked() -> list[tuple[str, str]]:
    """Names and versions in the lock."""
    return [(pin["name"], pin["version"]) for pin in _PIN.finditer(LOCK.read_text())]


def vendored() -> list[Part]:
    """Files of others: what a browser is sent."""
    said = {
        "chart": ("Chart.js", "4.6.1", "MIT"),
        "tabler": ("Tabler", "1.6.1", "MIT"),
        "zip": ("zip.js", "2.24.0", "BSD-3-Clause"),
    }
    folders = sorted(path for path in _VENDOR.iterdir() if path.is_dir())
    return [Part(*said[folder.name], _hashes_in(folder)) for folder in folders]


def models() -> list[Part]:
    """The weights, trained by us on radiographs under CC BY 4.0."""
    cards = sorted(_MODELS.glob("*/card.json"))
    said = [(json.loads(path.read_text()), path.parent) for path in cards]
    return [
        Part(card["name"], card["version"], "CC-BY-4.0 (the data they learnt from)", _hashes_in(folder))
        for card, folder in said
    ]


def _hashes_in(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}


def _is_installed(name: str) -> bool:
    try:
        metadata(name)
    except PackageNotFoundError:
        return False  # of another platform
    return True


def _licence_of(name: str) -> str:
    """As the package says: its SPDX expression, else its classifiers, else its own words."""
    said = metadata(name).json
    classifiers = [line.rsplit(" :: ", 1)[1] for line in said.get("classifier", []) if line.startswith("License ::")]
    words = said.get("license_expression") or _SAID_OTHERWISE.get(name) or "; ".join(sorted(classifiers))
    return str(words or said.get("license", "")).splitlines()[0]
