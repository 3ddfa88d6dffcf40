"""What goes between a process and the children that decode for it: numbers of fixed width, JSON and plain bytes.

Nothing is pickled, and every length is checked before room is made for it: a child that a file has taken over can give
a wrong answer, and no more than that.
"""

import json
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from diagnoses.imaging.errors import ImageError, ImageFault

Buffer: TypeAlias = bytes | bytearray | memoryview

ORDER = struct.Struct("!QQd")
"""To the helper, along with two descriptors: the limits of a child to be."""
ENDING = struct.Struct("!iQ")
"""From the helper: how a child ended, as `waitpid` says it, and the kilobytes that it took at most."""
_LENGTH = struct.Struct("!I")
_ANSWER = struct.Struct("!cIQQ")

ANSWERED, REFUSED, FAILED = b"A", b"R", b"F"
_MOST_HEAD_BYTES = 64 * 1024
_MOST_BODY_BYTES = 256 * 1024**2
"""More than 40 megapixels of 16 bits, whatever is said beside them."""


class FrameError(Exception):
    """What came is no answer."""


class CutShortError(Exception):
    """The other side closed before it had said everything."""


class Answer(NamedTuple):
    """What a child said: JSON, and bytes. `peak_kb`: the memory that it took at most, by its own account."""

    head: bytes
    body: NDArray[np.uint8]
    peak_kb: int


class FailedError(Exception):
    """The code in the child broke off; the words are the child's, for the log alone."""


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class _Refusal:
    """An ImageError on its way."""

    fault: ImageFault
    words: str = Field(max_length=1000)
    facts: dict[str, str | int] = Field(max_length=10)


_REFUSAL = TypeAdapter(_Refusal)


def send_request(channel: socket.socket, call: str, arguments: Mapping[str, Any], payloads: Sequence[Buffer]) -> None:
    """To the child."""
    head = json.dumps({"call": call, "arguments": arguments, "sizes": [len(payload) for payload in payloads]}).encode()
    channel.sendall(_LENGTH.pack(len(head)) + head)
    for payload in payloads:
        channel.sendall(payload)


def receive_request(channel: socket.socket) -> tuple[str, dict[str, Any], list[bytes]]:
    """In the child."""
    (length,) = _LENGTH.unpack(_all_of(channel, _LENGTH.size))
    head = json.loads(_all_of(channel, length))
    return head["call"], head["arguments"], [_all_of(channel, size) for size in head["sizes"]]


def send_answer(channel: socket.socket, kind: bytes, head: bytes, body: Buffer, peak_kb: int) -> None:
    """From the child."""
    channel.sendall(_ANSWER.pack(kind, len(head), len(body), peak_kb) + head)
    channel.sendall(body)


def receive_answer(channel: socket.socket) -> Answer:
    """Raises ImageError where the child refused, FailedError, FrameError, and CutShortError for no answer at all."""
    kind, head_bytes, body_bytes, peak_kb = _ANSWER.unpack(_exactly(channel, _ANSWER.size).tobytes())
    if head_bytes > _MOST_HEAD_BYTES or body_bytes > _MOST_BODY_BYTES:
        raise FrameError(f"an answer of {head_bytes} and {body_bytes} bytes")
    head = _exactly(channel, head_bytes).tobytes()
    if kind == ANSWERED:
        return Answer(head, _exactly(channel, body_bytes), peak_kb)
    if kind == REFUSED:
        raise _refusal(head)
    raise FailedError(head.decode(errors="replace"))


def refusal_head(error: ImageError) -> bytes:
    """What `receive_answer` makes the same error of."""
    said = error.said
    words, facts = (said.template, dict(said.facts)) if said else (error.message, {})
    return json.dumps({"fault": error.fault, "words": words, "facts": facts}).encode()


def _refusal(head: bytes) -> ImageError:
    try:
        refusal = _REFUSAL.validate_json(head)
    except ValueError as error:
        raise FrameError("a refusal that is none") from error
    return ImageError(refusal.fault, refusal.words, **refusal.facts)


def _exactly(channel: socket.socket, size: int) -> NDArray[np.uint8]:
    """Room that is not cleared first: of a large picture that would cost as much as the way here."""
    data = np.empty(size, np.uint8)
    room, filled = data.data, 0
    while filled < size:
        count = channel.recv_into(room[filled:])
        if count == 0:
            raise CutShortError
        filled += count
    return data


def _all_of(channel: socket.socket, size: int) -> bytes:
    """In one go, for a socket that may wait for ever, and without a copy."""
    data = channel.recv(size, socket.MSG_WAITALL) if size else b""
    if len(data) < size:
        raise CutShortError
    return data
