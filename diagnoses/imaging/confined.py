"""The helper process, and the children that it forks: `python -m diagnoses.imaging.confined`, started by `zygote`."""

import os

# OpenCV reads it once, when it is loaded. Intake takes no more pixels either.
os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = "40000000"
# One thread each: a fork copies no other, and each would set memory aside.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import codecs
import gc
import json
import resource
import select
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from encodings.aliases import aliases
from types import FrameType
from typing import Any, NoReturn, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import MpoImagePlugin  # noqa: F401 - which Pillow loads when it meets the first JPEG of several pictures
from pydicom.charset import python_encoding

from diagnoses.imaging import confinement, fragile, frames, syscalls
from diagnoses.imaging.confinement import Limits
from diagnoses.imaging.decode import decode
from diagnoses.imaging.depth import full_picture
from diagnoses.imaging.display import display_jpeg
from diagnoses.imaging.errors import ImageError
from diagnoses.imaging.frames import Buffer
from diagnoses.imaging.intake import inspect
from diagnoses.imaging.lossless import draw
from diagnoses.imaging.patient import patient_of
from diagnoses.imaging.printed import printed
from diagnoses.imaging.warming import samples

Said: TypeAlias = tuple[bytes, Buffer]
"""JSON, and bytes."""
Call: TypeAlias = Callable[..., Said]


def _decode(data: bytes) -> Said:
    radiograph = decode(data)
    head = {"shape": radiograph.pixels.shape, "chroma": radiograph.chroma, "facts": _fields(radiograph.facts)}
    return _json(head), _raw(radiograph.pixels)


def _inspect(data: bytes, max_bytes: int) -> Said:
    return _json(_fields(inspect(data, max_bytes))), b""


def _patient(data: bytes) -> Said:
    return _json(_fields(patient_of(data))), b""


def _printed(data: bytes, heatmap: bytes) -> Said:
    picture = printed(data, heatmap)
    head = {"plain_bytes": len(picture.plain), "width": picture.width, "height": picture.height}
    return _json(head), picture.plain + picture.heated


def _drawn(data: bytes) -> Said:
    picture = draw(data)
    return _json({"width": picture.width, "height": picture.height}), picture.png


def _stored_values(data: bytes, plugin: str) -> Said:
    values = fragile.decoded_here(data, plugin)
    values = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return _json({"dtype": values.dtype.str, "shape": values.shape}), _raw(values)


CALLS: dict[str, Call] = {
    "decode": _decode,
    "inspect": _inspect,
    "patient": _patient,
    "packed_picture": lambda data: (b"", full_picture(data).packed()),
    "display_jpeg": lambda data: (b"", display_jpeg(data)),
    "printed": _printed,
    "drawn": _drawn,
    "stored_values": _stored_values,
}


def _fields(value: Any) -> Any:
    return None if value is None else vars(value)


def _json(value: Any) -> bytes:
    """Dates as ISO 8601."""
    return json.dumps(value, default=str).encode()


def _raw(pixels: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(pixels).data.cast("B")


@dataclass
class _Child:
    word: int
    deadline: float


class Helper:
    """Forks a child for each order, ends those that take too long, and says how each ended."""

    def __init__(self, control: socket.socket, calls: Mapping[str, Call]) -> None:
        self._control = control
        self._calls = calls
        self._children: dict[int, _Child] = {}
        self._mapped = confinement.address_space()
        self._are_filtered = syscalls.are_filtered_here()

    def serve(self) -> None:
        """Until the other end of the control socket closes."""
        wakened, waker = os.pipe()
        for end in (wakened, waker):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, _nothing)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(wakened, select.POLLIN)
        while True:
            ready = [descriptor for descriptor, _ in poll.poll(self._milliseconds_left())]
            if wakened in ready:
                with suppress(BlockingIOError):
                    os.read(wakened, 4096)
            self._bury()
            if self._control.fileno() in ready and not self._take_order():
                return
            self._end_overdue()

    def end_all(self) -> None:
        """Nobody is there any more to hear their answers."""
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _milliseconds_left(self) -> int | None:
        if not self._children:
            return None
        first = min(child.deadline for child in self._children.values())
        return max(0, int((first - time.monotonic()) * 1000) + 1)

    def _bury(self) -> None:
        while self._children:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            child = self._children.pop(pid)
            with suppress(OSError):  # who asked may be gone
                os.write(child.word, frames.ENDING.pack(status, usage.ru_maxrss))
            os.close(child.word)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for pid, child in self._children.items():
            if child.deadline <= now:
                os.kill(pid, signal.SIGKILL)

    def _take_order(self) -> bool:
        order, descriptors, _, _ = socket.recv_fds(self._control, frames.ORDER.size, 2)
        if not order:
            return False
        channel, word = descriptors
        limits = Limits(*frames.ORDER.unpack(order))
        pid = os.fork()
        if pid == 0:
            self._live(channel, limits)
        os.close(channel)
        self._children[pid] = _Child(word, time.monotonic() + limits.wall_seconds)
        return True

    def _live(self, descriptor: int, limits: Limits) -> NoReturn:
        """A child's whole life. However it ends, it ends here, and runs nothing of what its parent would at its end."""
        try:
            confinement.die_with_parent()
            signal.set_wakeup_fd(-1)
            channel = socket.socket(fileno=confinement.shut_in(descriptor, limits, self._mapped))
            if self._are_filtered:
                syscalls.allow_decoding_alone()
            call, arguments, payloads = frames.receive_request(channel)
            kind, head, body = _outcome(self._calls[call], payloads, arguments)
            frames.send_answer(channel, kind, head, body, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        finally:
            os._exit(0)


def _outcome(call: Call, payloads: list[bytes], arguments: Mapping[str, Any]) -> tuple[bytes, bytes, Buffer]:
    try:
        return frames.ANSWERED, *call(*payloads, **arguments)
    except ImageError as error:
        return frames.REFUSED, frames.refusal_head(error), b""
    except BaseException as error:  # noqa: BLE001 - also what a decoder raises that is no Exception
        return frames.FAILED, f"{type(error).__name__}: {error}"[:1000].encode(errors="replace"), b""


def _nothing(number: int, frame: FrameType | None) -> None:
    """It is heard through the wake-up descriptor."""


def warm_up() -> None:
    """Use everything once, on drawings, so that all is loaded that is loaded late: a child can open no file."""
    for data in samples():
        for call in (display_jpeg, full_picture, printed, draw, _decode):
            call(data)
        inspect(data, len(data))
        with suppress(ImageError):
            patient_of(data)
    # A file names its characters as DICOM does, or wrongly as Python does, which pydicom takes.
    for name in {*python_encoding.values(), *aliases.values()}:
        with suppress(LookupError):
            codecs.lookup(name)


def main(calls: Mapping[str, Call]) -> None:
    """Load, give up what is not needed, serve. Signals for the whole group are for the parent, which ends this one."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _, bound = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, bound))
    warnings.simplefilter("ignore")
    cv2.setNumThreads(0)
    fragile.stay_here()
    warm_up()
    confinement.give_up_privileges()
    gc.collect()
    gc.freeze()
    helper = Helper(socket.socket(fileno=sys.stdin.fileno()), calls)
    try:
        helper.serve()
    finally:
        helper.end_all()
        os._exit(0)


if __name__ == "__main__":
    main(CALLS)
