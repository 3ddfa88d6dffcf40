"""The files that everything is measured on, and the plain loop over them that the product is held against."""

import time
from collections.abc import Sequence
from pathlib import Path

from tests.pictures import jpeg, phantom
from workers.inference.reader import Reader, ReadRequest

File = tuple[str, bytes]
"""Its name and its contents."""

BATCH = 16


def files_of(folder: Path) -> list[File]:
    """All files below `folder`."""
    return [(path.name, path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()]


def drawn_files(count: int = 40) -> list[File]:
    """Phantoms of about the size of a radiograph."""
    return [(f"phantom-{seed}.jpeg", jpeg(phantom(1600, 1300, seed))) for seed in range(count)]


def spread(files: Sequence[File], count: int) -> list[File]:
    """So many files from all over the list, each again where there are not enough."""
    return [files[index * len(files) // count % len(files)] for index in range(count)]


def seconds_bare(reader: Reader, files: Sequence[File]) -> float:
    """Decode, preprocess, engine with Grad-CAM, in batches, and nothing else."""
    started = time.perf_counter()
    for start in range(0, len(files), BATCH):
        reader.read([ReadRequest(data) for _, data in files[start : start + BATCH]])
    return time.perf_counter() - started
