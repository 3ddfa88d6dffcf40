"""Reading one file in a process of its own, within limits: for a file that a worker died over before.

`python -m workers.inference.alone FOLDER ENGINE SECONDS BYTES refuse|warn` takes a request on its standard input, as a
line of JSON and the file's bytes after it, and gives its answer as JSON. Nothing is pickled: what a hostile file made
of the child must not reach its parent.
"""

import base64
import json
import resource
import signal
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Any

from diagnoses.imaging.errors import ImageError, ImageFault
from workers.inference.reader import Reader, Reading, ReadRequest

_MODULE = "workers.inference.alone"
_ROOT = Path(__file__).parent.parent.parent
_MEMORY_BYTES = 2 * 1024**3
"""Above what the loaded model takes."""
_OUT_OF_MEMORY = 71
_PAGE_BYTES = resource.getpagesize()


class Ending(StrEnum):
    """How a reading ended that gave no answer."""

    CRASHED = "reader_crashed"
    TOO_LONG = "reading_too_long"
    OUT_OF_MEMORY = "reader_out_of_memory"


class NoAnswerError(Exception):
    """The process of its own ended without an answer."""

    def __init__(self, ending: Ending, said: str = "") -> None:
        super().__init__(f"{ending}: {said}")
        self.ending = ending


def read_alone(reader: Reader, request: ReadRequest, seconds: int) -> Reading | ImageError:
    """What a reader like `reader` says of one file, in a process of its own. Raises NoAnswerError.

    It may take `seconds` in all, the loading of the model among them.
    """
    refusal = "refuse" if reader.refuses_outside_age else "warn"
    limits = [str(seconds), str(_MEMORY_BYTES)]
    command = [sys.executable, "-m", _MODULE, str(reader.folder), reader.engine, *limits, refusal]
    head = {"age_years": request.age_years, "gate_overridden": request.gate_overridden}
    try:
        done = subprocess.run(
            command,
            input=json.dumps(head).encode() + b"\n" + request.data,
            capture_output=True,
            cwd=_ROOT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NoAnswerError(Ending.TOO_LONG) from error
    said = done.stderr.decode(errors="replace")[-2000:]
    if done.returncode in (_OUT_OF_MEMORY, -signal.SIGKILL):  # the system kills where memory runs out
        raise NoAnswerError(Ending.OUT_OF_MEMORY, said)
    if done.returncode == -signal.SIGXCPU:
        raise NoAnswerError(Ending.TOO_LONG, said)
    if done.returncode != 0:
        raise NoAnswerError(Ending.CRASHED, said)
    return _answer(json.loads(done.stdout))


def _answer(said: dict[str, Any]) -> Reading | ImageError:
    if "fault" in said:
        fault, words = ImageFault(said["fault"]), said["words"]
        return ImageError(fault, words, **said["facts"])
    heatmap = base64.b64decode(said.pop("heatmap"))
    return Reading(**said | {"heatmap": heatmap, "warnings": tuple(said["warnings"])})


def _said(answer: Reading | ImageError) -> dict[str, Any]:
    if isinstance(answer, ImageError):
        words = answer.said
        return {
            "fault": answer.fault,
            "words": words.template if words else answer.message,
            "facts": dict(words.facts) if words else {},
        }
    return vars(answer) | {"heatmap": base64.b64encode(answer.heatmap).decode()}


def main(folder: str, engine: str, seconds: str, memory_bytes: str, outside_age: str) -> int:
    """Load the model, set the limits, read, answer."""
    reader = Reader(Path(folder), engine, refuse_outside_age=outside_age == "refuse")
    head = json.loads(sys.stdin.buffer.readline())
    request = ReadRequest(sys.stdin.buffer.read(), head["age_years"], head["gate_overridden"])
    _limit(int(seconds), int(memory_bytes))
    try:
        [answer] = reader.read([request])
    except MemoryError:
        return _OUT_OF_MEMORY
    json.dump(_said(answer), sys.stdout)
    return 0


def _limit(seconds: int, memory_bytes: int) -> None:
    """No core file, so much more processor time than was used already, and so much more memory.

    The time is for a child whose parent died before it could end it.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + seconds
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE_BYTES
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (until, until + 1))
    resource.setrlimit(resource.RLIMIT_AS, (taken + memory_bytes, taken + memory_bytes))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
