"""A helper like the product's whose children can also do what a file that has taken over a decoder would."""

import ctypes
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from diagnoses.imaging.confined import CALLS, Call, Said, main


class NotAnExceptionError(BaseException):
    """As a panic in native code raises."""


def _attempt(data: bytes) -> Said:
    """What came of an attempt, in words."""
    said: object
    try:
        said = _ATTEMPTS[data.decode()]()
    except Exception as error:  # noqa: BLE001 - it is what is asked for
        said = f"{type(error).__name__}: {error}"
    return b"", str(said).encode()


def _lift_limits() -> None:
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_AS):
        resource.setrlimit(kind, (1 << 40, 1 << 40) if kind != resource.RLIMIT_NOFILE else (100, 100))


_ATTEMPTS: dict[str, Callable[[], object]] = {
    "environment": lambda: sorted(os.environ),
    "most pixels": lambda: os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"],
    "environment at its start": lambda: Path("/proc/self/environ").read_bytes(),
    "read a file": lambda: Path("/etc/passwd").read_bytes(),
    "write a file": lambda: Path("/tmp/out_of_the_sandbox").write_bytes(b"x"),
    "call somebody": lambda: socket.create_connection(("127.0.0.1", 9)),
    "run a program": lambda: subprocess.run(["/bin/true"]),
    "become a program": lambda: os.execv("/bin/true", ["true"]),
    "go on in another process": os.fork,
    "signal its parent": lambda: os.kill(os.getppid(), 0),
    "trace its parent": lambda: _by_number("ptrace", 16, os.getppid(), 0, 0),  # PTRACE_ATTACH
    "read its parent's memory": lambda: _by_number("process_vm_readv", os.getppid(), 0, 0, 0, 0, 0),
    "limit its parent": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CPU),
    "share memory": lambda: _by_number("shmget", 0, 4096, 0o1600),  # IPC_PRIVATE, IPC_CREAT
    "lift the limits": _lift_limits,
    "write to what is open": lambda: [number for number in range(3, 256) if _is_open(number)],
    "limits": lambda: [
        resource.getrlimit(kind)[1]
        for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_CPU)
    ],
}


def _by_number(call: str, *arguments: int) -> int:
    result = int(getattr(ctypes.CDLL(None, use_errno=True), call)(*arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _is_open(number: int) -> bool:
    try:
        os.write(number, b"")
    except OSError:
        return False
    return True


def _end(data: bytes) -> Said:
    _ENDS[data.decode()]()
    return b"", b"it went on"


def _raise() -> None:
    raise NotAnExceptionError("out of a native library")


def _take_memory() -> None:
    taken = []
    while True:
        taken.append(b"\1" * 10_000_000)


def _spin() -> None:
    while True:
        pass


_ENDS: dict[str, Callable[[], object]] = {
    "raise": _raise,
    "exit": lambda: sys.exit(3),
    "abort": os.abort,
    "fault": lambda: ctypes.string_at(0),
    "leave": lambda: os._exit(7),
    "take memory": _take_memory,
    "spin": _spin,
    "sleep": lambda: time.sleep(60),
}


def _whoami(data: bytes) -> Said:
    time.sleep(0.3)
    return b"", str(os.getpid()).encode()


NAUGHTY: dict[str, Call] = {
    "attempt": _attempt,
    "end": _end,
    "say": lambda data: (data, b""),
    "echo": lambda data: (b"", data),
    "whoami": _whoami,
}

if __name__ == "__main__":
    main(CALLS | NAUGHTY)
