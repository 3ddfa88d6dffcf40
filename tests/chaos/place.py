"""Where chaos takes place: a site of its own, poisoned, on a small disk, with two versions of a model."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.chaos import poison
from tests.integration.site import ROOT, Site
from workers.inference.card import CARD_NAME

NEWER_VERSION = "next"
"""Without a number, so that of the two it is registered first and the shipped one becomes the default."""

_SHIPPED = ROOT / "workers" / "models" / "mobilenet_v2"
_DISK = "192m"
_SMALL_FILE_BYTES = 1000
_SETTINGS = {
    "CXR_LEASE_SECONDS": "4",
    "CXR_READING_SECONDS": "20",
    "CXR_BATCH_SIZE": "4",
    "CXR_ORPHAN_SECONDS": "20",
    "CXR_MIN_FREE_MB": "48",
}


@dataclass(frozen=True)
class Place:
    """The site, and what the faults need to know of it."""

    folder: Path
    site: Site
    clock: Path
    has_own_disk: bool

    @property
    def older_models(self) -> Path:
        """What a worker of the previous version has: one model."""
        return self.folder / "older"

    @property
    def newer_model(self) -> str:
        """The version that the site's own worker alone has, as "name version"."""
        return f"mobilenet_v2 {NEWER_VERSION}"

    @property
    def newer_model_asked(self) -> str:
        """The same, as the API wants it."""
        return f"mobilenet_v2@{NEWER_VERSION}"

    @property
    def full_disk_words(self) -> str:
        """How a disk is filled here."""
        return "a small disk of its own" if self.has_own_disk else "a limit on the web process's files"

    def environment(self, **values: str) -> dict[str, str]:
        """For a worker beside the site's own."""
        return poison.environment(self.clock) | values

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """No room for another picture, as long as the context lasts."""
        with self._filled() if self.has_own_disk else self.failing_disk():
            yield

    @contextmanager
    def _filled(self) -> Iterator[None]:
        filler = self.site.file("filler")
        try:
            with suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(1024**2))
            yield
        finally:
            filler.unlink()

    @contextmanager
    def failing_disk(self) -> Iterator[None]:
        """The web process may write small files alone."""
        web = psutil.Process(self.site.web)
        _, hard = web.rlimit(psutil.RLIMIT_FSIZE)
        web.rlimit(psutil.RLIMIT_FSIZE, (_SMALL_FILE_BYTES, hard))
        try:
            yield
        finally:
            web.rlimit(psutil.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def chaos_place() -> Iterator[Place]:
    """A site that runs, in a temporary folder that goes with it."""
    with ExitStack() as stack:
        # Not deeper: the path of a socket has its limits.
        folder = Path(tempfile.mkdtemp(prefix="cxr-chaos-"))
        stack.callback(shutil.rmtree, folder)
        _lay_out_models(folder)
        clock = folder / "clock"
        site = Site(folder, CXR_MODELS_DIR=str(folder / "models"), **_SETTINGS, **poison.environment(clock))
        has_own_disk = _mount(site.file(""), stack)
        stack.callback(site.destroy)
        yield Place(folder, site.start(), clock, has_own_disk)


def _lay_out_models(folder: Path) -> None:
    """The shipped model alone, and beside the same network as another version."""
    shutil.copytree(_SHIPPED, folder / "older" / "shipped")
    shutil.copytree(_SHIPPED, folder / "models" / "shipped")
    newer = shutil.copytree(_SHIPPED, folder / "models" / "newer")
    card = json.loads((newer / CARD_NAME).read_text()) | {"version": NEWER_VERSION}
    (newer / CARD_NAME).write_text(json.dumps(card))


def _mount(media: Path, stack: ExitStack) -> bool:
    """A small disk of its own for the pictures, where this process may mount one."""
    media.mkdir(mode=0o700, parents=True)
    media.parent.chmod(0o755)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=0700", "tmpfs", str(media)]
    try:
        done = subprocess.run(mount, capture_output=True)
    except FileNotFoundError:
        return False
    if done.returncode == 0:
        stack.callback(subprocess.run, ["umount", str(media)], check=True)
    return done.returncode == 0
