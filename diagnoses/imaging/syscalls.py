"""A filter of system calls (seccomp) for a process that decodes: what that needs, and nothing else.

Limits keep a child from opening anything. They do not keep it from what needs no descriptor: to signal, trace or read
other processes of its account, to share memory with them, to start more. Whatever is not listed here fails with EPERM.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterator

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Its column below, and what the kernel calls it (AUDIT_ARCH)."""
_ABSENT = -1
_ALLOWED = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "poll": (7, _ABSENT),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "readv": (19, 65),
    "writev": (20, 66),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "sendto": (44, 206),
    "recvfrom": (45, 207),
    "sendmsg": (46, 211),
    "recvmsg": (47, 212),
    "getsockname": (51, 204),
    "getsockopt": (55, 209),
    "exit": (60, 93),
    "gettimeofday": (96, 169),
    "getrusage": (98, 165),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "ppoll": (271, 73),
    "getrandom": (318, 278),
    "rseq": (334, 293),
}
_TO_ITSELF = {"tgkill": (234, 131)}
"""With its own number as the first argument: how a process aborts."""
_OF_ITSELF = {"prlimit64": (302, 261)}
"""With 0 as the first argument: how it looks at its own limits, which it cannot lift."""

_PR_GET_SECCOMP = 21
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _MACHINE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_KILL_PROCESS, _ALLOW, _REFUSE = 0x80000000, 0x7FFF0000, 0x00050000 | errno.EPERM


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def are_filtered_here() -> bool:
    """Whether this kernel has filters, and this machine is known here."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) >= 0)


def allow_decoding_alone() -> None:
    """For good, for this process, which has renounced new privileges before. Raises OSError."""
    instructions = b"".join(_instructions(*_MACHINES[platform.machine()], os.getpid()))
    program = _Program(len(instructions) // 8, instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "system calls could not be filtered")


def _instructions(column: int, machine: int, own_number: int) -> Iterator[bytes]:
    """For the kernel's classic BPF, from the first comparison to the verdict; a jump counts what it passes over."""
    yield _instruction(_LOAD, _MACHINE_AT)
    yield _instruction(_JUMP_IF_EQUAL, machine, 1, 0)
    yield _instruction(_RETURN, _KILL_PROCESS)
    yield _instruction(_LOAD, _NUMBER_AT)
    for numbers in _ALLOWED.values():
        if numbers[column] != _ABSENT:
            yield _instruction(_JUMP_IF_EQUAL, numbers[column], 0, 1)
            yield _instruction(_RETURN, _ALLOW)
    for calls, wanted in ((_TO_ITSELF, own_number), (_OF_ITSELF, 0)):
        for numbers in calls.values():
            yield _instruction(_JUMP_IF_EQUAL, numbers[column], 0, 4)
            yield _instruction(_LOAD, _FIRST_ARGUMENT_AT)
            yield _instruction(_JUMP_IF_EQUAL, wanted, 0, 1)
            yield _instruction(_RETURN, _ALLOW)
            yield _instruction(_RETURN, _REFUSE)
    yield _instruction(_RETURN, _REFUSE)


def _instruction(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_so, if_not, value)
