"""What the stream sends: small pictures of every kind, each with what must become of it."""

import random
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from itertools import count

import numpy as np
from numpy.typing import NDArray

from tests import pictures
from tests.chaos import poison
from tests.integration.books import GATE_WIDTH

_END_BYTES = 12
"""Of a PNG: its last chunk."""


class Kind(StrEnum):
    """What a file is."""

    VALID = "valid"
    DUPLICATE = "duplicate"
    CUT = "cut short"
    GARBLED = "garbled"
    CRASHING = "crashing"
    ENDLESS = "endless"
    GREEDY = "greedy"


REFUSED = "refused"
FAILED = "failed"
DONE = "done"
_LOST = "worker_lost"
ENDS: dict[Kind, frozenset[tuple[str, str]]] = {
    Kind.VALID: frozenset({(DONE, "")}),
    Kind.DUPLICATE: frozenset({(DONE, "")}),
    Kind.CUT: frozenset({(REFUSED, "damaged")}),
    Kind.GARBLED: frozenset({(REFUSED, "damaged")}),
    Kind.CRASHING: frozenset({(FAILED, "reader_crashed"), (FAILED, _LOST)}),
    Kind.ENDLESS: frozenset({(FAILED, "reading_too_long"), (FAILED, _LOST)}),
    Kind.GREEDY: frozenset({(FAILED, "reader_out_of_memory"), (FAILED, _LOST)}),
}
"""For each kind the ends, a status with its code, that are right."""


@dataclass(frozen=True)
class SentFile:
    """A file as it was sent."""

    name: str
    kind: Kind
    data: bytes

    @property
    def sha256(self) -> str:
        """Of what was sent."""
        return sha256(self.data).hexdigest()


class Inputs:
    """Makes files, no two alike unless they are meant to be."""

    def __init__(self, seed: int) -> None:
        self._making = threading.Lock()
        self._random = random.Random(seed)
        self._seeds = count(seed * 100_000 % 2**31)
        self._twin = self._valid()

    def study(self) -> list[SentFile]:
        """Four to six files, most of them valid, and the first at any rate."""
        weights = {Kind.VALID: 12, Kind.DUPLICATE: 3, Kind.CUT: 1, Kind.GARBLED: 1}
        with self._making:
            kinds = self._random.choices(list(weights), list(weights.values()), k=self._random.randint(3, 5))
            return [self._file(kind) for kind in (Kind.VALID, *kinds)]

    def valid(self, name: str = "valid.png") -> SentFile:
        """A picture that is read."""
        with self._making:
            return SentFile(name, Kind.VALID, self._valid())

    def gate(self) -> SentFile:
        """A picture that is read, and holds its worker where a gate is shut."""
        with self._making:
            return SentFile("gate.png", Kind.VALID, pictures.png(self._pixels(GATE_WIDTH)))

    def poison(self, kind: Kind) -> SentFile:
        """A picture that harms its reader in this way."""
        mark = {Kind.CRASHING: poison.CRASHING, Kind.ENDLESS: poison.ENDLESS, Kind.GREEDY: poison.GREEDY}[kind]
        with self._making:
            return SentFile(f"{kind}.png", kind, _with_text(pictures.png(self._pixels()), mark))

    def _file(self, kind: Kind) -> SentFile:
        makers: dict[Kind, Callable[[], bytes]] = {
            Kind.VALID: self._valid,
            Kind.DUPLICATE: lambda: self._twin,
            Kind.CUT: lambda: self._valid()[:-500],
            Kind.GARBLED: lambda: _garbled(pictures.png(self._pixels())),
        }
        return SentFile(f"{kind}.png", kind, makers[kind]())

    def _valid(self) -> bytes:
        pixels = self._pixels()
        return pictures.png(pixels) if self._random.random() < 0.5 else pictures.jpeg(pixels)

    def _pixels(self, width: int = 120) -> NDArray[np.uint8]:
        return pictures.phantom(width, 110, next(self._seeds))


def _garbled(png: bytes) -> bytes:
    """The same PNG, its chunks whole and their checksums right, with nonsense for its picture."""
    start = png.index(b"IDAT")
    size = int.from_bytes(png[start - 4 : start], "big")
    chunk = b"IDAT" + b"\xa5" * size
    return png[:start] + chunk + zlib.crc32(chunk).to_bytes(4, "big") + png[start + len(chunk) + 4 :]


def _with_text(png: bytes, words: bytes) -> bytes:
    """The picture with a text beside its pixels: what follows its end would not be kept."""
    body = b"tEXtComment\0" + words
    chunk = len(body[4:]).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return png[:-_END_BYTES] + chunk + png[-_END_BYTES:]
