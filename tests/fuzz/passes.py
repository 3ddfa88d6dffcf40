"""Two passes over a corpus: through the sandbox, as serving does, and by the functions in a watched process."""

import json
import logging
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any
from unittest import mock

from diagnoses.imaging import sandbox
from diagnoses.imaging.errors import ImageError
from diagnoses.imaging.frames import FailedError
from diagnoses.imaging.zygote import ChildLostError, SandboxError, Zygote
from tests.fuzz.corpus import ROOT, Sample
from tests.fuzz.outcomes import SECONDS, TAKEN, Outcome

MAX_BYTES = 100 * 1024 * 1024
_PATHS: dict[str, Callable[[bytes], object]] = {
    "inspect": lambda data: sandbox.inspect(data, MAX_BYTES),
    "decode": sandbox.decode,
    "packed": sandbox.packed_picture,
    "display": sandbox.display_jpeg,
    "patient": sandbox.patient_of,
}
_AT_ONCE = 2


def through_the_sandbox(samples: Sequence[Sample]) -> tuple[list[Outcome], float]:
    """What became of each, and the megabytes that a child took at most."""
    logging.getLogger("diagnoses.imaging.zygote").setLevel(logging.ERROR)
    helper = Zygote("tests.fuzz.watching")
    with mock.patch.object(sandbox, "ZYGOTE", helper), ThreadPoolExecutor(_AT_ONCE) as threads:
        _sandboxed(samples[0])  # the helper starts meanwhile, on no file's account
        outcomes = list(threads.map(_sandboxed, samples))
    helper.close()
    return outcomes, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def _sandboxed(sample: Sample) -> Outcome:
    outcome = Outcome(sample.name)
    for path, act in _PATHS.items():
        started = time.monotonic()
        try:
            act(sample.data)
            outcome.said[path] = TAKEN
        except ChildLostError as error:
            outcome.said[path] = error.fault
            broke_off = isinstance(error.__cause__, FailedError) and not error.ending.startswith("MemoryError")
            (outcome.findings if broke_off else outcome.lost).append(f"{path}: {error.ending}")
        except ImageError as error:
            outcome.said[path] = error.fault
        except SandboxError as error:
            outcome.findings.append(f"{path}: {error}")
        outcome.seconds = max(outcome.seconds, time.monotonic() - started)
    return outcome


def by_the_functions(samples: Sequence[Sample]) -> tuple[list[Outcome], float]:
    """The same by a process that calls them one file after the other; it is started anew where one ended it."""
    outcomes: list[Outcome] = []
    peak_mb = 0.0
    with TemporaryDirectory() as name:
        for number, sample in enumerate(samples):
            Path(name, f"{number:05}").write_bytes(sample.data)
        while len(outcomes) < len(samples):
            found, peak, ending = _watched(Path(name), len(outcomes))
            peak_mb = max(peak_mb, peak)
            outcomes += [
                Outcome(sample.name, **line) for sample, line in zip(samples[len(outcomes) :], found, strict=False)
            ]
            if len(outcomes) < len(samples):
                outcomes.append(Outcome(samples[len(outcomes)].name, findings=[f"ended the process: {ending}"]))
    return outcomes, peak_mb


def _watched(folder: Path, first: int) -> tuple[list[dict[str, Any]], float, str]:
    """A line of JSON for each file that it went through, its peak in megabytes, and how it ended."""
    found: list[dict[str, Any]] = []
    peak_mb = 0.0
    command = [sys.executable, "-m", "tests.fuzz.pure", str(folder), str(first), str(SECONDS)]
    with (
        TemporaryFile("w+", errors="replace") as errors,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout
        for line in process.stdout:
            said = json.loads(line)
            peak_mb = max(peak_mb, said.pop("peak_mb"))
            found.append(said)
        process.wait()
        errors.seek(0)
        return found, peak_mb, f"{process.returncode}: {errors.read()[-300:]}"


def differences(sandboxed: Sequence[Outcome], pure: Sequence[Outcome]) -> list[str]:
    """Files that one pass takes and the other does not, or for another reason; lost children apart."""
    return [
        f"{one.name}: {one.said} in the sandbox, {other.said} without"
        for one, other in zip(sandboxed, pure, strict=True)
        if not (one.lost or one.findings or other.findings) and one.said != other.said
    ]
