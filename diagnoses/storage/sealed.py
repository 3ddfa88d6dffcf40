"""Files too large for memory, sealed: AES-256-GCM in pieces of 1 MiB, each of which opens at its own place alone.

A piece's nonce is its number and whether it is the last, so that pieces which were swapped, left out, added or cut off
do not open. That is safe as long as a key seals one file and nothing else: have `sealing.new_key` make one for each.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import SEEK_SET, BufferedIOBase
from typing import IO, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from diagnoses import storage
from diagnoses.sealing import SealError

PIECE_BYTES = 1 << 20
_TAG_BYTES = 16
_FORMAT = b"\x01"


class SealingWriter(BufferedIOBase):
    """Seals what is written once it is settled. Until then it can be gone back to, as a ZIP's heads must be."""

    def __init__(self, file: IO[bytes], key: bytes, name: str) -> None:
        self._file = file
        self._cipher = AESGCM(key)
        self._place = name.encode()
        self._window = bytearray()
        self._begin = self._at = self._pieces = 0
        file.write(_FORMAT)

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """Within what is not settled yet."""
        return True

    def tell(self) -> int:
        """Where the next byte goes, counted in clear."""
        return self._begin + self._at

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Go back within what is not settled yet. Raises ValueError."""
        if whence != SEEK_SET or not self._begin <= offset <= self._begin + len(self._window):
            raise ValueError("What is sealed already cannot be gone back to.")
        self._at = offset - self._begin
        return offset

    def write(self, data: object) -> int:
        """Take bytes in."""
        piece = bytes(cast(bytes, data))
        self._window[self._at : self._at + len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def settle(self) -> None:
        """Nothing that was written so far will change: seal it, but for the last piece, which may still grow."""
        while len(self._window) > PIECE_BYTES:
            self._seal(bytes(self._window[:PIECE_BYTES]), last=False)
            del self._window[:PIECE_BYTES]
            self._begin += PIECE_BYTES
            self._at -= PIECE_BYTES

    def finish(self) -> None:
        """Seal the rest."""
        self.settle()
        self._seal(bytes(self._window), last=True)

    def _seal(self, piece: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._pieces, last=last), piece, self._place))
        self._pieces += 1


@contextmanager
def writing(name: str, key: bytes) -> Iterator[SealingWriter]:
    """As `storage.writing`, sealed under a key that seals nothing else. Raises OSError."""
    with storage.writing(name) as file:
        writer = SealingWriter(file, key, name)
        yield writer
        writer.finish()


def pieces(file: IO[bytes], key: bytes, name: str) -> Iterator[bytes]:
    """What is sealed in an open file, piece by piece. Raises SealError as soon as one is not what was written."""
    if file.read(len(_FORMAT)) != _FORMAT:
        raise SealError("This was not sealed here, or by a newer version.")
    cipher, place, number = AESGCM(key), name.encode(), 0
    piece = _read(file)
    while True:
        following = _read(file)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), piece, place)
        except (InvalidTag, ValueError) as error:
            raise SealError(f"Piece {number} of {name} does not open: another key, altered or cut short.") from error
        if not following:
            return
        piece, number = following, number + 1


def _read(file: IO[bytes]) -> bytes:
    """A whole piece, unless it is the last: what comes over a network may come in less."""
    data = bytearray()
    while (left := PIECE_BYTES + _TAG_BYTES - len(data)) and (more := file.read(left)):
        data += more
    return bytes(data)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11) + bytes([last])
