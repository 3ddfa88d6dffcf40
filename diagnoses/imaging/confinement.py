"""The walls around a process that decodes what somebody sent: little memory and time, and nothing to reach.

Without a file descriptor to be had it can open no file, no socket and no pipe: neither to read nor to write, nor to
call anybody. Without capabilities a superuser cannot lift these limits again either.
"""

import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522
_NOTHING_INHERITED = 3
"""The first descriptor after input, output and errors."""


@dataclass(frozen=True)
class Limits:
    """What one file may cost: bytes of address space, seconds of processor time, seconds in all."""

    memory_bytes: int = 2 * 1024**3
    cpu_seconds: int = 30
    wall_seconds: float = 60.0


def give_up_privileges() -> None:
    """For good, for this process and all that it starts: no capability, and none to be had from any program."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "new privileges could not be renounced")
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none_at_all = (ctypes.c_uint32 * 6)()
    if libc.capset(header, none_at_all):
        raise OSError(ctypes.get_errno(), "capabilities could not be renounced")


def die_with_parent() -> None:
    """At once, however it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def address_space() -> int:
    """Bytes that this process has mapped."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def shut_in(keep: int, limits: Limits, mapped: int) -> int:
    """Close everything but the descriptor `keep`, whose new number comes back, and set the limits.

    `mapped` bytes of address space were there before the file.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    kept = os.dup(keep)
    for standard in range(_NOTHING_INHERITED):
        os.dup2(nowhere, standard)
    os.dup2(kept, _NOTHING_INHERITED)
    os.closerange(_NOTHING_INHERITED + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    memory, seconds = mapped + limits.memory_bytes, limits.cpu_seconds
    for kind, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_NPROC, 0, 0),
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_CPU, seconds, seconds + 1),
        (resource.RLIMIT_NOFILE, 0, 0),
    ):
        _lower(kind, soft, hard)
    return _NOTHING_INHERITED


def _lower(kind: int, soft: int, hard: int) -> None:
    """Where a limit is lower already, it stays."""
    _, bound = resource.getrlimit(kind)
    if bound != resource.RLIM_INFINITY:
        soft, hard = min(soft, bound), min(hard, bound)
    resource.setrlimit(kind, (soft, hard))
