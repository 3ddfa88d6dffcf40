"""Reading the text of a PDF as ReportLab writes it: enough to hold what is printed against what was meant."""

import re
import zlib

_OBJECT = re.compile(rb"(?<!\d)(\d+) 0 obj\s*(.*?)\s*endobj", re.DOTALL)
_STREAM = re.compile(rb"stream\r?\n")
_LENGTH = re.compile(rb"/Length (\d+)")
_DRAWN = re.compile(rb"/(F\d+\+\d+) [\d.]+ Tf|\(((?:[^()\\]|\\.)*)\) Tj|(T\*|\bTm\b|\bET\b)", re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_NAMED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


class Pdf:
    """A finished file: its pages' text, what is known of the document, and its fonts."""

    def __init__(self, data: bytes) -> None:
        assert data.startswith(b"%PDF-")
        assert data.rstrip().endswith(b"%%EOF")
        self.objects: dict[int, bytes] = {int(number): body for number, body in _OBJECT.findall(data)}
        self._letters = {name: self._letters_of(number) for name, number in self._fonts()}

    @property
    def pages(self) -> list[str]:
        """The text of each page, line by line in the order drawn."""
        bodies = [body for body in self.objects.values() if re.search(rb"/Type\s*/Page\b", body)]
        return [self._text(self._stream(self._reference(body, b"Contents"))) for body in bodies]

    @property
    def text(self) -> str:
        """All of it, with each stretch of white space as one blank."""
        return " ".join(" ".join(self.pages).split())

    def catalogue(self) -> bytes:
        """What says the language."""
        [body] = [body for body in self.objects.values() if re.search(rb"/Type\s*/Catalog\b", body)]
        return body

    def about(self, key: str) -> str:
        """The title, author or creator."""
        [body] = [body for body in self.objects.values() if b"/CreationDate" in body]
        found = re.search(rb"/%s\s*\(((?:[^()\\]|\\.)*)\)" % key.encode(), body, re.DOTALL)
        assert found
        raw = _unescaped(found[1])
        return raw.decode("utf-16") if raw.startswith(b"\xfe\xff") else raw.decode("latin-1")

    def embedded_fonts(self) -> set[str]:
        """The fonts whose outlines the file brings along, each with the mark of a subset before its name."""
        bodies = [body for body in self.objects.values() if b"/FontFile2" in body]
        return {found.decode() for body in bodies for found in re.findall(rb"/FontName\s*/(\S+)", body)}

    def _fonts(self) -> list[tuple[str, int]]:
        named = [re.findall(rb"/(F\d+\+\d+)\s+(\d+) 0 R", body) for body in self.objects.values()]
        return [(name.decode(), int(number)) for found in named for name, number in found]

    def _letters_of(self, number: int) -> dict[int, str]:
        table = self._stream(self._reference(self.objects[number], b"ToUnicode")).decode()
        pairs = re.findall(r"^<(\w+)> <(\w+)>$", table, re.MULTILINE)
        return {int(code, 16): bytes.fromhex(letter).decode("utf-16-be") for code, letter in pairs[1:]}

    def _reference(self, body: bytes, key: bytes) -> int:
        found = re.search(rb"/%s\s+(\d+) 0 R" % key, body)
        assert found, (key, body)
        return int(found[1])

    def _stream(self, number: int) -> bytes:
        body = self.objects[number]
        start, length = _STREAM.search(body), _LENGTH.search(body)
        assert start
        assert length
        # Not up to `endstream`: what is packed may end with what looks like the line's end before that word.
        data = body[start.end() : start.end() + int(length[1])]
        return zlib.decompress(data) if b"FlateDecode" in body else data

    def _text(self, drawing: bytes) -> str:
        font, said = "", []
        for chosen, shown, moved in _DRAWN.findall(drawing):
            if chosen:
                font = chosen.decode()
            elif moved:
                said.append("\n")
            else:
                said.append("".join(self._letters[font][code] for code in _unescaped(shown)))
        return "".join(said)


def _unescaped(raw: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: _one(found[1]), raw)


def _one(escaped: bytes) -> bytes:
    return bytes([int(escaped, 8)]) if escaped.isdigit() else _NAMED.get(escaped, escaped)
