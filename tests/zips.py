"""ZIP archives for tests, good ones by Python's own writer, and bad ones byte by byte."""

import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from io import BytesIO


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    """A good archive."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.comment = comment
    return buffer.getvalue()


def deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush()


@dataclass
class Part:
    """An entry, with room for lies."""

    name: bytes
    data: bytes
    method: int = 8
    flags: int = 0
    mode: int = 0o100644
    content: bytes | None = None
    """What lies in the archive; by default the data, packed by the method."""
    says_unpacked: int | None = None
    local: dict[str, object] = field(default_factory=dict)
    """What the entry's own header says otherwise."""
    behind: bytes = b""
    """What lies between it and the next."""

    @property
    def packed_content(self) -> bytes:
        if self.content is not None:
            return self.content
        return deflated(self.data) if self.method == 8 else self.data

    def header(self, *, is_local: bool) -> bytes:
        said: dict[str, object] = {"name": self.name, "method": self.method, "crc": zlib.crc32(self.data)}
        said |= {"packed": len(self.packed_content), "flags": self.flags}
        said["unpacked"] = len(self.data) if self.says_unpacked is None else self.says_unpacked
        said |= self.local if is_local else {}
        name = said["name"]
        assert isinstance(name, bytes)
        numbers = (said["flags"], said["method"], 0, 0, said["crc"], said["packed"], said["unpacked"], len(name))
        if is_local:
            return b"PK\3\4" + struct.pack("<H4H3I2H", 20, *numbers, 0) + name
        return b"PK\1\2" + struct.pack("<2H4H3IH", 0x0314, 20, *numbers)


def built(
    *parts: Part,
    at: dict[int, int] | None = None,
    count: int | None = None,
    before_end: bytes = b"",
    head: bytes = b"",
) -> bytes:
    """An archive of these parts; `at` has the directory say that a part begins where another does."""
    body, places = head, []
    for part in parts:
        places.append(len(body))
        body += part.header(is_local=True) + part.packed_content + part.behind
    directory = b""
    for number, part in enumerate(parts):
        place = places[(at or {}).get(number, number)]
        directory += part.header(is_local=False) + struct.pack("<4H2I", 0, 0, 0, 0, part.mode << 16, place) + part.name
    entries = len(parts) if count is None else count
    end = b"PK\5\6" + struct.pack("<4H2IH", 0, 0, entries, entries, len(directory), len(body) + len(before_end), 0)
    return body + before_end + directory + end
