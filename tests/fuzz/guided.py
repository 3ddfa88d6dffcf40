"""A fuzzer that is guided by coverage, on a harness, for a bounded time."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.corpus import CACHE, ROOT, Sample, as_they_are, in_archives

HARNESSES = {"harness_intake": as_they_are, "harness_archive": in_archives}
"""Each with what makes its seeds of the corpus."""
_LONGEST_SEED = 24_000
_LONGEST_INPUT = 65_536
_SLOWEST_INPUT_SECONDS = 20
_MEMORY_MB = 2048
_STATS = {
    "number_of_executed_units": "executions",
    "average_exec_per_sec": "executions a second",
    "slowest_unit_time_sec": "slowest input, whole seconds",
    "peak_rss_mb": "peak memory, MB",
}


def run(harness: str, seeds: Iterable[Sample], seconds: int, *, seed: int = 0) -> tuple[str, bool]:
    """A table of figures, and whether nothing was found. Inputs that were are kept beside the corpus."""
    home = CACHE / harness
    shutil.rmtree(home, ignore_errors=True)
    grown, given, found = home / "grown", home / "seeds", home / "found"
    for folder in (grown, given, found):
        folder.mkdir(parents=True)
    for number, sample in enumerate(seeds):
        if len(sample.data) <= _LONGEST_SEED:
            (given / f"{number:05}").write_bytes(sample.data)
    command = [
        *(sys.executable, "-m", f"tests.fuzz.{harness}", str(grown), str(given)),
        *(f"-max_total_time={seconds}", f"-max_len={_LONGEST_INPUT}", f"-timeout={_SLOWEST_INPUT_SECONDS}"),
        *(f"-rss_limit_mb={_MEMORY_MB}", f"-seed={seed + 1}", "-print_final_stats=1", f"-artifact_prefix={found}/"),
    ]
    log = home / "log"
    with log.open("wb") as written:
        process = subprocess.run(command, cwd=ROOT, stdout=written, stderr=subprocess.STDOUT, check=False)
    return _told(harness, log.read_text(errors="replace"), process.returncode, sorted(found.iterdir()))


def _told(harness: str, log: str, returncode: int, found: list[Path]) -> tuple[str, bool]:
    stats = dict(re.findall(r"stat::(\w+):\s+(\d+)", log))
    rows = [("seeds", _first(r"seed corpus: files: (\d+)", log))]
    rows += [(words, stats.get(name, "not told")) for name, words in _STATS.items()]
    rows += [("edges covered", _last(r"cov: (\d+)", log)), ("crashes, hangs, too much memory", str(len(found)))]
    width = max(len(name) for name, _ in rows)
    is_clean = returncode == 0 and not found
    lines = [f"Guided by coverage: {harness}", *(f"  {name:<{width}}  {figure}" for name, figure in rows)]
    lines += [f"  FINDING: {path}" for path in found]
    if not is_clean:
        lines += [f"  It ended with {returncode}:", log[-3000:]]
    return "\n".join(lines), is_clean


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match[1] if match else "not told"


def _last(pattern: str, text: str) -> str:
    found = re.findall(pattern, text)
    return str(found[-1]) if found else "not told"
