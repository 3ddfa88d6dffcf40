"""A worker's memory after thousands of images, over that after two hundred.

The process that holds the models: the product's own runtime and its own claiming, reading and finishing, on files in
storage whose jobs were put in by SQL, so that no HTTP is in the way. The memory is its unique set size, the pages that
are this process's alone: shared libraries, which never grow, would make the ratio look better.
"""

from collections.abc import Sequence
from pathlib import Path

from tests.bench.bench import Bench
from tests.bench.figures import Figures
from tests.bench.files import File
from tests.bench.ground import Ground, ground
from tests.bench.place import place

_EARLY = 200
_SHORT = 3_000
_LONG = 20_000


def _name(images: int) -> str:
    return f"after_{images}_images_over_after_{_EARLY}"


NAMES = (_name(_SHORT), _name(_LONG))
"""What the figure is called in a short run, and in a long one."""


def measure(bench: Bench) -> Figures:
    images = _LONG if bench.is_long else _SHORT
    with place() as folder, ground() as worker_ground:
        early, late = _megabytes(worker_ground, _written(bench.files, folder), images)
    return {_name(images): late / early, "early_mb": early, "late_mb": late}


def _megabytes(worker_ground: Ground, paths: Sequence[str], images: int) -> tuple[float, float]:
    hand = worker_ground.hand()
    found = []
    for count in (_EARLY, images - _EARLY):
        hand.ask("seed", paths=paths, count=count)
        hand.ask("read_all")
        found.append(float(hand.ask("own_megabytes")))
    return found[0], found[1]


def _written(files: Sequence[File], folder: Path) -> list[str]:
    paths = [folder / str(number) for number in range(len(files))]
    for path, (_, data) in zip(paths, files, strict=True):
        path.write_bytes(data)
    return [str(path) for path in paths]
