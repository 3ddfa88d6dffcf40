"""`python -m tests.bench [FOLDER]`: the whole way from upload to result against a bare loop on the same files.

Both sides run in turns on this machine, in one run, so that their ratio means something where times alone do not.
"""

import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from tests.integration.site import Site, ended_study, post_study
from tests.pictures import jpeg, phantom
from workers.inference.reader import Reader, ReadRequest

_MODEL = Path(__file__).parent.parent / "workers" / "models" / "mobilenet_v2"
_ROUNDS = 3
_PER_STUDY = 20
_SINGLES = 15
_BATCH = 16

File = tuple[str, bytes]


def main(folder: Path | None) -> None:
    """Print a table, and the same as JSON."""
    files = _files_of(folder) if folder else _phantoms()
    place = Path(tempfile.mkdtemp(prefix="cxr-bench-"))
    site = Site(place)
    try:
        site.start()
        with site.client() as client:
            figures = _measure(client, Reader(_MODEL), files)
    finally:
        site.destroy()
        shutil.rmtree(place)
    table = Table("Measured", "Value", title=f"{len(files)} files, {_ROUNDS} rounds, medians")
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), f"{value:.3g}")
    Console().print(table)
    print(json.dumps(figures))


def _measure(client: httpx.Client, reader: Reader, files: Sequence[File]) -> dict[str, float]:
    _send_all(client, files[:_PER_STUDY])
    rounds = [(_seconds_bare(reader, files), _send_all(client, files)) for _ in range(_ROUNDS)]
    bare = statistics.median(seconds for seconds, _ in rounds)
    served = statistics.median(seconds for _, seconds in rounds)
    singles = [files[index % len(files)] for index in range(_SINGLES)]
    alone = statistics.median(_seconds_bare(reader, [file]) for file in singles)
    seen = statistics.median(_send_all(client, [file]) for file in singles)
    return {
        "bare_loop_images_per_second": len(files) / bare,
        "upload_to_result_images_per_second": len(files) / served,
        "ratio_of_rates": bare / served,
        "one_image_bare_ms": alone * 1000,
        "one_image_upload_to_result_ms": seen * 1000,
        "ratio_of_latencies": seen / alone,
    }


def _seconds_bare(reader: Reader, files: Sequence[File]) -> float:
    """Decode, preprocess, engine with Grad-CAM, and nothing else."""
    started = time.perf_counter()
    for start in range(0, len(files), _BATCH):
        reader.read([ReadRequest(data) for _, data in files[start : start + _BATCH]])
    return time.perf_counter() - started


def _send_all(client: httpx.Client, files: Sequence[File]) -> float:
    """Upload over HTTP in studies of twenty files, until the last answer can be fetched."""
    started = time.perf_counter()
    studies = [
        post_study(client, files[start : start + _PER_STUDY]).raise_for_status().json()["id"]
        for start in range(0, len(files), _PER_STUDY)
    ]
    for study in studies:
        ended_study(client, study, seconds=300)
    return time.perf_counter() - started


def _files_of(folder: Path) -> list[File]:
    files = [(path.name, path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()]
    return files or sys.exit(f"{folder} holds no files.")


def _phantoms() -> list[File]:
    return [(f"phantom-{seed}.jpeg", jpeg(phantom(1600, 1300, seed))) for seed in range(40)]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
