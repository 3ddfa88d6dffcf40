"""What a chaos site's own processes get on their way: files that harm their reader, and a clock that can jump.

It is installed by `poisoned/sitecustomize.py` before anything else is loaded, so it may import nothing of the product.
"""

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

CRASHING = b"chaos: crash"
ENDLESS = b"chaos: never return"
GREEDY = b"chaos: take all memory"
CLOCK_VARIABLE = "CHAOS_CLOCK"
"""Names a file that says by how many seconds the clock is wrong."""

_PIECE_BYTES = 256 * 1024**2
_real_time = time.time


def environment(clock: Path) -> dict[str, str]:
    """What a process needs to be poisoned."""
    root = Path(__file__).parent.parent.parent
    return {"PYTHONPATH": f"{Path(__file__).parent / 'poisoned'}{os.pathsep}{root}", CLOCK_VARIABLE: str(clock)}


def install() -> None:
    """Bend the clock now, and the modules that concern it once they are loaded."""
    sys.meta_path.insert(0, _Bender())
    time.time = _Clock()


class _Clock:
    """`time.time`, bent. No function: as a class's attribute, which is how some keep it, that would be a method."""

    def __call__(self) -> float:
        return _real_time() + _jump()


def _jump() -> float:
    try:
        return float(Path(os.environ[CLOCK_VARIABLE]).read_text())
    except (KeyError, OSError, ValueError):  # in the decoders' helper, or no jump yet, or one that is being written
        return 0.0


def _bend_reader(reader: Any) -> None:
    decode = reader.decode

    def poisonable(data: bytes) -> Any:
        for mark, harm in _HARMS.items():
            if mark in data:
                harm()
        return decode(data)

    reader.decode = poisonable


def _bend_timezone(timezone: Any) -> None:
    now: Callable[[], datetime] = timezone.now
    timezone.now = lambda: now() + timedelta(seconds=_jump())


def _crash() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)


def _never_return() -> None:
    while True:
        time.sleep(1)


def _take_all_memory() -> None:
    """Only a process with a limit takes it all; one without is killed, as the kernel would in the end."""
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        os.kill(os.getpid(), signal.SIGKILL)
    hoard = []
    while True:
        hoard.append(bytes(_PIECE_BYTES))


_HARMS = {CRASHING: _crash, ENDLESS: _never_return, GREEDY: _take_all_memory}
_BENT = {"workers.inference.reader": _bend_reader, "django.utils.timezone": _bend_timezone}


class _Bender(MetaPathFinder):
    """Finds the modules that are bent, and nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        bend = _BENT.get(fullname)
        spec = PathFinder.find_spec(fullname, path) if bend else None
        if bend and spec and spec.loader:
            spec.loader = _BendingLoader(spec.loader, bend)
        return spec


class _BendingLoader(Loader):
    """Loads a module as its own loader does, and bends it."""

    def __init__(self, loader: Loader, bend: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._bend = bend

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._bend(module)
