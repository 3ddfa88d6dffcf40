"""The elements of a DICOM file, counted before a parser that recurses and keeps all of them is let near it.

It steps as pydicom does, which takes more than the standard allows, and with a stack of its own instead of recursion:
what pydicom would open is opened here, too, and what it would step over is stepped over.
"""

from dataclasses import dataclass
from struct import Struct
from struct import error as StructError  # noqa: N812 - a class, whatever its name

from pydicom import config, valuerep
from pydicom.datadict import dictionary_VR
from pydicom.uid import UID, ExplicitVRBigEndian, ImplicitVRLittleEndian

from diagnoses.imaging.errors import ImageError, ImageFault

MOST_ELEMENTS = 20_000
"""A radiograph has some hundreds, with a maker's own some thousands."""
MOST_NESTED = 16
"""Sequences within each other; in radiographs three or four."""
_META_BYTES = 64 * 1024
"""The file meta information has about 200."""
_START = 132
_META_ELEMENT = Struct("<HH2sH")
_LONG = Struct("<I")
_META_GROUP, _GROUP_LENGTH, _TRANSFER_SYNTAX = 2, 0x0000, 0x0010
_LONGEST_UID = 64

_KNOWN = {str(vr.value).encode() for vr in valuerep.VR}
_LONG_VRS = {str(vr.value).encode() for vr in valuerep.EXPLICIT_VR_LENGTH_32}
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


class MetaError(ValueError):
    """The file meta information is not what the standard says, or is cut short."""


@dataclass(frozen=True)
class Meta:
    """How the data set is encoded, and where it starts."""

    syntax: UID
    end: int


def read_meta(data: bytes) -> Meta:
    """The file meta information of a file of which `data` holds at least the start.

    It is in explicit little endian whatever the data set is in. Each element may be there once, in ascending order as
    the standard wants it; a length of the group is not believed. Raises MetaError.
    """
    place, last, syntax = _START, -1, None
    while place - _START <= _META_BYTES:
        if data[place : place + 2] != b"\2\0":
            if syntax is None:
                raise MetaError("no transfer syntax")
            return Meta(UID(syntax.rstrip(b"\0 ").decode("ascii"), validation_mode=config.IGNORE), place)
        number, vr, start, end = _meta_element(data, place)
        if number <= last or end > len(data):
            raise MetaError("an element twice, or out of order, or cut short")
        if number == _GROUP_LENGTH and (end - start != 4 or _LONG.unpack_from(data, start)[0] > _META_BYTES):
            raise MetaError("the length is wrong")
        if number == _TRANSFER_SYNTAX:
            if vr != b"UI" or end - start > _LONGEST_UID:
                raise MetaError("the transfer syntax is no UID")
            syntax = data[start:end]
        place, last = end, number
    raise MetaError("too long")


def _meta_element(data: bytes, place: int) -> tuple[int, bytes, int, int]:
    """The number within its group, the VR, and where the value starts and ends."""
    try:
        _, number, vr, length = _META_ELEMENT.unpack_from(data, place)
        start = place + 8
        if vr not in _KNOWN:
            raise MetaError("an element of no kind")
        if vr in _LONG_VRS:
            length, start = _LONG.unpack_from(data, start)[0], start + 4
    except StructError as error:
        raise MetaError("cut short") from error
    return number, vr, start, start + length


def check_elements(data: bytes, meta: Meta) -> None:
    """Raises ImageError where there are more elements, or deeper ones, than a radiograph has."""
    if _is_too_much(_Walk(data, meta)):
        raise ImageError(
            ImageFault.TOO_COMPLEX,
            "This DICOM file has more parts, or parts within parts, than a radiograph has. Export it again without its "
            "maker's private parts.",
        )


def _is_too_much(walk: "_Walk") -> bool:
    for _ in range(MOST_ELEMENTS):
        if not walk.step():
            return False
        if walk.depth > MOST_NESTED:
            return True
    return True


@dataclass
class _Level:
    """A sequence, or a data set. Ends of those without a length are found as they come."""

    is_sequence: bool
    end: int | None
    is_implicit: bool


class _Walk:
    """Goes from element to element."""

    def __init__(self, data: bytes, meta: Meta) -> None:
        self._data = data
        self._place = meta.end
        order = ">" if meta.syntax == ExplicitVRBigEndian else "<"
        self._tag = Struct(f"{order}HH")
        self._short = Struct(f"{order}H")
        self._long = Struct(f"{order}I")
        self._sequence_end = self._tag.pack(0xFFFE, 0xE0DD)
        is_implicit = self._looks_implicit(meta.syntax == ImplicitVRLittleEndian)
        self._levels = [_Level(is_sequence=False, end=None, is_implicit=is_implicit)]

    @property
    def depth(self) -> int:
        """How many sequences are open."""
        return sum(level.is_sequence for level in self._levels)

    def step(self) -> bool:
        """Go on by one element or item; whether there was one."""
        self._leave_what_has_ended()
        if self._place + 8 > len(self._data):
            return False
        return self._item() if self._levels[-1].is_sequence else self._element()

    def _leave_what_has_ended(self) -> None:
        """A sequence with a length is over there, whatever its items say; an item with one when its last element is."""
        for number, level in enumerate(self._levels):
            if level.is_sequence and level.end is not None and self._place + 8 > level.end:
                del self._levels[number:]
                self._place = level.end
                break
        while not self._levels[-1].is_sequence and (self._levels[-1].end or self._place + 1) <= self._place:
            self._levels.pop()

    def _item(self) -> bool:
        """An item of a sequence, or the sequence's end."""
        group, number = self._tag.unpack_from(self._data, self._place)
        length = self._long.unpack_from(self._data, self._place + 4)[0]
        self._place += 8
        if group << 16 | number == _SEQUENCE_END:
            self._levels.pop()
            return True
        end = None if length == _UNDEFINED else self._place + length
        is_implicit = self._levels[-1].is_implicit or self._looks_implicit(expected=False)
        self._levels.append(_Level(is_sequence=False, end=end, is_implicit=is_implicit))
        return True

    def _element(self) -> bool:
        level = self._levels[-1]
        group, number = self._tag.unpack_from(self._data, self._place)
        tag = group << 16 | number
        vr, length = self._vr_and_length(is_implicit=level.is_implicit)
        if tag == _ITEM_END:
            if len(self._levels) == 1:
                return False  # here a parser stops
            self._levels.pop()
        elif self._is_sequence(tag, vr, length):
            end = None if length == _UNDEFINED else self._place + length
            self._levels.append(_Level(is_sequence=True, end=end, is_implicit=level.is_implicit))
        elif length == _UNDEFINED:
            found = self._data.find(self._sequence_end, self._place)
            self._place = len(self._data) if found < 0 else found + 8
        else:
            self._place += length
        return True

    def _vr_and_length(self, *, is_implicit: bool) -> tuple[bytes | None, int]:
        """And step to the value. Where no VR stands in explicit encoding, pydicom goes on as in implicit."""
        vr = self._data[self._place + 4 : self._place + 6]
        length = int(self._long.unpack_from(self._data, self._place + 4)[0])
        is_implicit = is_implicit or (vr not in _KNOWN and not b"AA" <= vr <= b"ZZ")
        if not is_implicit and vr in _LONG_VRS:
            self._place += 12
            return vr, self._long_at(self._place - 4)
        if not is_implicit:
            length = int(self._short.unpack_from(self._data, self._place + 6)[0])
        self._place += 8
        return None if is_implicit else vr, length

    def _long_at(self, place: int) -> int:
        """Nothing where the file is cut short."""
        return int(self._long.unpack_from(self._data, place)[0]) if place + 4 <= len(self._data) else 0

    def _is_sequence(self, tag: int, vr: bytes | None, length: int) -> bool:
        if vr == b"SQ":
            return True
        if vr == b"UN":
            return length == _UNDEFINED or _dictionary_says_sequence(tag)
        if vr is not None:
            return False
        return _dictionary_says_sequence(tag) or (length == _UNDEFINED and self._item_follows())

    def _item_follows(self) -> bool:
        following = self._data[self._place : self._place + 4]
        return len(following) == 4 and self._tag.unpack(following) == (_ITEM >> 16, _ITEM & 0xFFFF)

    def _looks_implicit(self, expected: bool) -> bool:
        """The first element is believed rather than the file, as pydicom does."""
        vr = self._data[self._place + 4 : self._place + 6]
        return expected if len(vr) < 2 else not all(0x40 < byte < 0x5B for byte in vr)


def _dictionary_says_sequence(tag: int) -> bool:
    try:
        return dictionary_VR(tag) == "SQ"
    except KeyError:
        return False
