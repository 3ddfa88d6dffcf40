"""Folders that are gone afterwards."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def place() -> Iterator[Path]:
    """A fresh folder, open to the account that the database runs as when the benches run as root."""
    folder = Path(tempfile.mkdtemp(prefix="cxr-bench-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
