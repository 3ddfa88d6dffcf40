"""`python -m tests.fuzz.pure FOLDER FIRST SECONDS`: each file through the functions themselves, in this process.

It says a line of JSON for each. An alarm ends the process over a file that takes too long.
"""

import os

os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = "40000000"  # as in the sandbox

import json
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from diagnoses.imaging.decode import decode
from diagnoses.imaging.depth import full_picture
from diagnoses.imaging.display import display_jpeg
from diagnoses.imaging.errors import ImageError
from diagnoses.imaging.intake import inspect
from diagnoses.imaging.patient import patient_of
from tests.fuzz.outcomes import TAKEN
from tests.fuzz.passes import MAX_BYTES

_PATHS: dict[str, Callable[[bytes], object]] = {
    "inspect": lambda data: inspect(data, MAX_BYTES),
    "decode": decode,
    "packed": lambda data: full_picture(data).packed(),
    "display": display_jpeg,
    "patient": patient_of,
}


def main(folder: Path, first: int, seconds: float) -> None:
    warnings.simplefilter("ignore")
    for path in sorted(folder.iterdir())[first:]:
        print(json.dumps(_tried(path.read_bytes(), seconds)), flush=True)


def _tried(data: bytes, limit: float) -> dict[str, object]:
    said: dict[str, str] = {}
    findings: list[str] = []
    slowest = 0.0
    for name, act in _PATHS.items():
        started = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            act(data)
            said[name] = TAKEN
        except ImageError as error:
            said[name] = error.fault
        except BaseException as error:  # noqa: BLE001 - it is what is looked for
            findings.append(f"{name}: {type(error).__name__}: {error}")
        signal.setitimer(signal.ITIMER_REAL, 0)
        slowest = max(slowest, time.monotonic() - started)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"said": said, "findings": findings, "seconds": slowest, "peak_mb": peak_mb}


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
