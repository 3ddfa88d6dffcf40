"""A helper process with all decoders loaded, which forks a child for each file.

A fork takes milliseconds, and a Python of its own half a second.

There is one for each process that decodes, started at the first file, without the environment of its parent. It hears
of each child to be through a socket, along with two descriptors: the child's own socket, through which file and
answer go, and one for word of how the child ended. It ends when its parent's end of the socket closes, however that
came about.
"""

import atexit
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from diagnoses.imaging import frames
from diagnoses.imaging.confinement import Limits
from diagnoses.imaging.errors import ImageError, ImageFault
from diagnoses.imaging.frames import Answer, Buffer, CutShortError, FailedError, FrameError

_log = logging.getLogger(__name__)

_ROOT = Path(__file__).parent.parent.parent
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "PYTHONPATH")
"""Without these a Python may not find its libraries. Nothing else of the environment is handed on."""
_FEWER_PAGES = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""Where memory comes in large pages, a fork copies less, and a child sooner has room for a picture."""
_GRACE_SECONDS = 30.0
"""Beyond a child's time, for a helper that has yet to start on a busy machine."""
_LEAST_CHILDREN = 2


class SandboxError(OSError):
    """No child could be had. It says nothing of the file."""


class ChildLostError(ImageError):
    """A file whose child gave no answer; `ending` says why, for the log."""

    def __init__(self, ending: str) -> None:
        super().__init__(ImageFault.DAMAGED, "This picture is damaged. Export it again from its source and resend it.")
        self.ending = ending


class _HelperLostError(Exception):
    """The helper is gone, and its children with it."""


class Zygote:
    """The helper of this process. Safe in threads, and after a fork."""

    def __init__(self, module: str = "diagnoses.imaging.confined") -> None:
        """`module` is what the helper runs."""
        self._module = module
        self._new()
        _all.add(self)

    def _new(self) -> None:
        self._lock = threading.Lock()
        self._children = threading.BoundedSemaphore(max(_LEAST_CHILDREN, os.cpu_count() or 1))
        self._control: socket.socket | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def ask(
        self,
        call: str,
        payloads: Sequence[Buffer],
        arguments: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
    ) -> Answer:
        """The answer of a child that is forked for this.

        Raises the child's ImageError, ChildLostError where it gave no answer, SandboxError where none could be had.
        """
        arguments, limits = arguments or {}, limits or Limits()
        with self._children:
            for _ in range(2):
                helper, control = self._helper()
                try:
                    return _ask(control, call, arguments, payloads, limits)
                except _HelperLostError:
                    self._drop(helper)  # perhaps over another file: once more
            helper, control = self._start()
            try:
                return _ask(control, call, arguments, payloads, limits)  # where no other file can be to blame
            except _HelperLostError as error:
                raise SandboxError("The helper that decodes files does not start, or ends over this one.") from error
            finally:
                _end(helper, control)

    def start(self) -> None:
        """Have the helper start now, so that the first file need not wait."""
        self._helper()

    def close(self) -> None:
        """End the helper."""
        if self.process:
            self._drop(self.process)

    def forget(self) -> None:
        """In a process that was forked: the helper is its parent's."""
        if self._control:
            self._control.close()
        if self.process:
            self.process.returncode = 0  # nothing to wait for
        self._new()

    def _helper(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        with self._lock:
            if self.process is None or self._control is None:
                self.process, self._control = self._start()
            return self.process, self._control

    def _start(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=_ROOT,
                env=_FEWER_PAGES | {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
                start_new_session=True,
            )
        return process, ours

    def _drop(self, helper: subprocess.Popen[bytes]) -> None:
        """Another thread may have done so already, and started the next."""
        with self._lock:
            if self.process is not helper or self._control is None:
                return
            control, self._control, self.process = self._control, None, None
        _end(helper, control)


_all: weakref.WeakSet[Zygote] = weakref.WeakSet()


def _forget_all() -> None:
    for zygote in _all:
        zygote.forget()


def _close_all() -> None:
    for zygote in _all:
        zygote.close()


os.register_at_fork(after_in_child=_forget_all)
atexit.register(_close_all)


def _end(helper: subprocess.Popen[bytes], control: socket.socket) -> None:
    control.close()
    try:
        helper.wait(timeout=5)
    except subprocess.TimeoutExpired:
        helper.kill()
        helper.wait()


def _ask(
    control: socket.socket, call: str, arguments: Mapping[str, Any], payloads: Sequence[Buffer], limits: Limits
) -> Answer:
    channel, its_channel = socket.socketpair()
    word, its_word = os.pipe()
    with channel, os.fdopen(word, "rb", buffering=0) as endings:
        try:
            order = frames.ORDER.pack(limits.memory_bytes, limits.cpu_seconds, limits.wall_seconds)
            socket.send_fds(control, [order], [its_channel.fileno(), its_word])
        except OSError as error:
            raise _HelperLostError from error
        finally:
            its_channel.close()
            os.close(its_word)
        channel.settimeout(limits.wall_seconds + _GRACE_SECONDS)
        try:
            return _exchange(channel, call, arguments, payloads)
        except TimeoutError as error:
            raise _HelperLostError from error
        except (OSError, CutShortError) as error:
            ending = _ending(endings.read())
            _log.warning("A file could not be decoded by %s: its process ended (%s)", call, ending)
            raise ChildLostError(ending) from error
        except (FailedError, FrameError) as error:
            _log.warning("A file could not be decoded by %s: %s", call, error)
            raise ChildLostError(str(error)) from error


def _exchange(channel: socket.socket, call: str, arguments: Mapping[str, Any], payloads: Sequence[Buffer]) -> Answer:
    with suppress(BrokenPipeError, ConnectionResetError):  # it may have had something to say before it closed
        frames.send_request(channel, call, arguments, payloads)
    return frames.receive_answer(channel)


def _ending(word: bytes) -> str:
    """The helper's word of it. Raises _HelperLostError where there is none."""
    if len(word) != frames.ENDING.size:
        raise _HelperLostError
    status, peak_kb = frames.ENDING.unpack(word)
    code = os.waitstatus_to_exitcode(status)
    return f"{signal.Signals(-code).name if code < 0 else f'exit status {code}'}, {peak_kb // 1024} MB"


ZYGOTE = Zygote()
"""That of this process."""
