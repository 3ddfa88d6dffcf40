"""ZIP archives of radiographs: looked through before anything is inflated, then unpacked within limits.

Python's own reader believes more than is good here: entries that share their bytes, a directory that says other than
the entries do, sizes that are not those of the content. So the structure is read here, and only what is plain is taken:
one disk, 32-bit sizes, stored or deflated, each byte in one entry, and none beside them. Names are shown to people and
open nothing.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError  # noqa: N812 - a class, whatever its name
from typing import IO

from diagnoses.imaging.errors import ImageError, ImageFault

MAX_ENTRIES = 200
MAX_UNPACKED_BYTES = 500 * 1024 * 1024
MAX_RATIO = 100
"""Radiographs shrink to a half, drawn pictures to a tenth."""
SMALL_BYTES = 1024 * 1024
"""What unpacks to no more may shrink as it likes."""

_PIECE = 64 * 1024
_END = Struct("<4s4H2IH")
_END_SIGNATURE, _ENTRY_SIGNATURE, _LOCAL_SIGNATURE = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"
_LONGEST_COMMENT = 65_535
_MOST_DIRECTORY_BYTES = 4 * 1024 * 1024
_ENTRY = Struct("<4s6H3I5H2I")
_LOCAL = Struct("<4s5H3I2H")
_ENCRYPTED = 0x2041
"""Of an entry's flags: encrypted, strongly encrypted, its header hidden."""
_SIZES_FOLLOW, _IN_UTF8 = 0x0008, 0x0800
_LONGEST_DESCRIPTOR = 24
"""Its mark, the checksum and both sizes, these in 64 bits."""
_WIDE = 0xFFFFFFFF
"""Stands where a size is kept elsewhere, in 64 bits."""
_STORED, _DEFLATED = 0, 8
_UNIX, _MACOS = 3, 19
_KIND_OF_FILE, _REGULAR, _FOLDER = 0o170000, 0o100000, 0o040000
_NO_RADIOGRAPHS = {"DICOMDIR", "THUMBS.DB", "DESKTOP.INI"}


@dataclass(frozen=True)
class Entry:
    """A file in an archive, as its directory describes it; `fault` says why it is not to be unpacked."""

    name: str
    packed_bytes: int
    unpacked_bytes: int
    method: int
    checksum: int
    start: int
    fault: ImageError | None = None


@dataclass
class Budget:
    """What may still be unpacked, of one archive or of several that came together."""

    entries: int = MAX_ENTRIES
    unpacked_bytes: int = MAX_UNPACKED_BYTES

    def take(self, entries: list[Entry]) -> None:
        """Raises ImageError where the entries say themselves that they are too much."""
        self.entries -= len(entries)
        self.unpacked_bytes -= sum(entry.unpacked_bytes for entry in entries)
        if self.entries < 0:
            raise ImageError(
                ImageFault.ARCHIVE_TOO_LARGE,
                "The ZIP files hold more than {most} files. Send them in parts.",
                most=MAX_ENTRIES,
            )
        if self.unpacked_bytes < 0:
            raise ImageError(
                ImageFault.ARCHIVE_TOO_LARGE,
                "The ZIP files hold more than {most} MB. Send them in parts.",
                most=MAX_UNPACKED_BYTES // 1024**2,
            )


def entries_of(file: IO[bytes], budget: Budget) -> list[Entry]:
    """The radiographs to be in an archive, in its directory's order; folders and what systems add are left out.

    Raises ImageError where the archive as a whole is none that is taken.
    """
    try:
        size = file.seek(0, 2)
        entries = [entry for entry in _directory(file, size) if not _is_beside_the_point(entry.name)]
    except StructError as error:
        raise _damaged() from error
    if any(entry.unpacked_bytes > max(SMALL_BYTES, MAX_RATIO * entry.packed_bytes) for entry in entries):
        raise _bomb()
    budget.take(entries)
    if not entries:
        raise ImageError(ImageFault.ARCHIVE_NO_FILE, "There is no file in this ZIP. Choose the radiographs themselves.")
    return entries


def unpack(file: IO[bytes], entry: Entry) -> Iterator[bytes]:
    """The content of an entry, piece by piece.

    Raises ImageError: the entry's own fault, ARCHIVE_BOMB where it holds more than it says, DAMAGED where it holds less
    or something else.
    """
    if entry.fault:
        raise entry.fault
    checksum = size = 0
    try:
        for piece in _inflated(_packed(file, entry)) if entry.method == _DEFLATED else _packed(file, entry):
            size += len(piece)
            checksum = zlib.crc32(piece, checksum)
            if size > entry.unpacked_bytes:
                raise _bomb()
            yield piece
    except zlib.error as error:
        raise _spoilt() from error
    if (size, checksum) != (entry.unpacked_bytes, entry.checksum):
        raise _spoilt()


def _directory(file: IO[bytes], size: int) -> list[Entry]:
    """All entries, after a look at where each lies: in its own bytes, from the first on, with nothing before them.

    Behind each there may be what says its sizes where it was written as a stream, and no more up to the next.
    """
    count, start, length = _end(file, size)
    file.seek(start)
    directory = file.read(length)
    place = free = slack = 0
    found: list[_Described] = []
    starts: dict[_Described, int] = {}
    for _ in range(count):
        described, place = _described(directory, place)
        found.append(described)
    if place != length:
        raise _damaged()
    for described in sorted(found, key=lambda described: described.header):
        begin = _content_start(file, described)
        if not free <= described.header <= free + slack or begin + described.packed_bytes > start:
            raise _damaged()
        free, slack = begin + described.packed_bytes, _LONGEST_DESCRIPTOR
        starts[described] = begin
    if start > free + slack:
        raise _damaged()
    return [_entry(described, starts[described]) for described in found]


@dataclass(frozen=True)
class _Described:
    """What the directory says of an entry."""

    raw_name: bytes
    made_by: int
    flags: int
    method: int
    checksum: int
    packed_bytes: int
    unpacked_bytes: int
    mode: int
    header: int


def _end(file: IO[bytes], size: int) -> tuple[int, int, int]:
    """The number of entries, and where their directory starts and how long it is: up to what ends the file."""
    file.seek(max(0, size - _END.size - _LONGEST_COMMENT))
    tail = file.read()
    place = tail.rfind(_END_SIGNATURE)
    if place < 0:
        raise _damaged()
    _, disk, first_disk, here, count, length, start, comment = _END.unpack_from(tail, place)
    at = size - len(tail) + place
    whole = disk == first_disk == 0 and here == count and place + _END.size + comment == len(tail)
    if not whole or start + length != at or length > _MOST_DIRECTORY_BYTES:
        raise _damaged()
    return count, start, length


def _described(directory: bytes, place: int) -> tuple[_Described, int]:
    """An entry of the directory, and where the next one is."""
    said = _ENTRY.unpack_from(directory, place)
    signature, made_by, _, flags, method, _, _, checksum, packed, unpacked = said[:10]
    name_bytes, extra_bytes, comment_bytes, disk, _, attributes, header = said[10:]
    start = place + _ENTRY.size
    end = start + name_bytes + extra_bytes + comment_bytes
    if signature != _ENTRY_SIGNATURE or disk or end > len(directory) or _WIDE in (packed, unpacked, header):
        raise _damaged()
    raw_name = directory[start : start + name_bytes]
    mode = attributes >> 16 if made_by >> 8 in (_UNIX, _MACOS) else 0
    return _Described(raw_name, made_by >> 8, flags, method, checksum, packed, unpacked, mode, header), end


def _content_start(file: IO[bytes], described: _Described) -> int:
    """Where an entry's content starts, once its own header agrees with the directory."""
    file.seek(described.header)
    said = _LOCAL.unpack(file.read(_LOCAL.size))
    signature, _, flags, method, _, _, checksum, packed, unpacked, name_bytes, extra_bytes = said
    raw_name = file.read(name_bytes)
    same = (signature, raw_name, method) == (_LOCAL_SIGNATURE, described.raw_name, described.method)
    sizes = (checksum, packed, unpacked)
    of_directory = (described.checksum, described.packed_bytes, described.unpacked_bytes)
    # Whoever writes an archive as a stream knows the sizes only after the content.
    if not same or (flags ^ described.flags) & _ENCRYPTED:
        raise _damaged()
    if sizes != of_directory and not (flags & _SIZES_FOLLOW and sizes == (0, 0, 0)):
        raise _damaged()
    return int(described.header + _LOCAL.size + name_bytes + extra_bytes)


def _entry(described: _Described, start: int) -> Entry:
    name = described.raw_name.decode("utf-8" if described.flags & _IN_UTF8 else "cp437", errors="replace")
    return Entry(
        name=name,
        packed_bytes=described.packed_bytes,
        unpacked_bytes=described.unpacked_bytes,
        method=described.method,
        checksum=described.checksum,
        start=start,
        fault=_fault(described, name),
    )


def _fault(described: _Described, name: str) -> ImageError | None:
    """Why an entry is not to be unpacked, as far as its description says."""
    if described.flags & _ENCRYPTED:
        return ImageError(ImageFault.ARCHIVE_ENCRYPTED, "This file is locked in its ZIP. Pack it without a password.")
    if described.mode & _KIND_OF_FILE not in (0, _REGULAR, _FOLDER) or _leads_away(name):
        return ImageError(
            ImageFault.ARCHIVE_UNSAFE_NAME,
            "This is a link or a device, or its name leads out of the ZIP. Pack the radiographs themselves.",
        )
    if described.method not in (_STORED, _DEFLATED):
        return ImageError(
            ImageFault.UNSUPPORTED_ENCODING, "This file is packed in an unusual way. Pack it as an ordinary ZIP."
        )
    if described.method == _STORED and described.packed_bytes != described.unpacked_bytes:
        return _spoilt()
    return None


def _leads_away(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or parts[0] == "" or ":" in parts[0] or "\0" in name


def _is_beside_the_point(name: str) -> bool:
    """Whether it is a folder, a hidden file or one that a system adds: nobody packs these by intent."""
    parts = name.replace("\\", "/").split("/")
    last = parts[-1]
    hidden = any(part.startswith(".") and part != ".." for part in parts)
    return not last or hidden or "__MACOSX" in parts or last.upper() in _NO_RADIOGRAPHS


def _packed(file: IO[bytes], entry: Entry) -> Iterator[bytes]:
    left = entry.packed_bytes
    file.seek(entry.start)
    while left:
        piece = file.read(min(_PIECE, left))
        if not piece:
            raise _spoilt()
        left -= len(piece)
        yield piece


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Never more than a piece at once, however well it was packed."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for piece in pieces:
        rest = piece
        if inflater.eof:
            raise _spoilt()
        while rest and not inflater.eof:
            yield inflater.decompress(rest, _PIECE)
            rest = inflater.unconsumed_tail
        if inflater.unused_data:
            raise _spoilt()
    while not inflater.eof:
        last = inflater.decompress(inflater.unconsumed_tail, _PIECE)
        if not last:
            raise _spoilt()
        yield last


def _spoilt() -> ImageError:
    return ImageError(ImageFault.DAMAGED, "This file is damaged in its ZIP. Pack it again from its source.")


def _bomb() -> ImageError:
    return ImageError(
        ImageFault.ARCHIVE_BOMB,
        "This ZIP unpacks to far more than radiographs do, or to more than it says. Nothing of it was kept: pack the "
        "radiographs anew.",
    )


def _damaged() -> ImageError:
    return ImageError(
        ImageFault.ARCHIVE_DAMAGED,
        "This ZIP is damaged, or is built as no program builds one. Nothing of it was kept: pack the radiographs anew.",
    )
