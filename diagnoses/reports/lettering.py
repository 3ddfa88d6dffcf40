"""Fonts, styles, and text as paper takes it."""

import re
import unicodedata
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape  # it writes, and reads nothing # nosec B406

from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph

PLAIN, BOLD = "DejaVuSans", "DejaVuSans-Bold"
INK, QUIET, RULE, ACCENT = HexColor(0x16191D), HexColor(0x4A5563), HexColor(0xB8C0CA), HexColor(0x0B4FA0)

_FONTS = Path(__file__).parent / "fonts"
_UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"
_DIRECTIONS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_SIXTEEN_BITS = 0xFFFF
_BLANK_LINES = re.compile(r"\n{3,}")


@cache
def use_fonts() -> None:
    """Read the fonts once in each process. Pictures go in as bytes, not as letters, which take a quarter more room."""
    rl_config.useA85 = 0
    for name in (PLAIN, BOLD):
        pdfmetrics.registerFont(TTFont(name, _FONTS / f"{name}.ttf"))
    pdfmetrics.registerFontFamily(PLAIN, normal=PLAIN, bold=BOLD, italic=PLAIN, boldItalic=BOLD)


_BODY = ParagraphStyle("body", fontName=PLAIN, fontSize=8.5, leading=11.5, textColor=INK, spaceAfter=3)
STYLES = {
    "body": _BODY,
    "label": ParagraphStyle("label", _BODY, fontSize=7, leading=9, textColor=QUIET, spaceAfter=0),
    "quiet": ParagraphStyle("quiet", _BODY, fontSize=7.5, leading=10, textColor=QUIET),
    "small": ParagraphStyle("small", _BODY, fontSize=7, leading=9, textColor=QUIET, spaceAfter=1.5),
    "value": ParagraphStyle("value", _BODY, spaceAfter=0),
    "answer": ParagraphStyle("answer", _BODY, fontName=BOLD, fontSize=11, leading=14, spaceAfter=0),
    "title": ParagraphStyle("title", _BODY, fontName=BOLD, fontSize=15, leading=19, spaceAfter=5),
    "heading": ParagraphStyle(
        "heading", _BODY, fontName=BOLD, fontSize=10.5, leading=14, spaceBefore=7, keepWithNext=1
    ),
    "note": ParagraphStyle(
        "note",
        _BODY,
        borderColor=INK,
        borderWidth=0.7,
        borderPadding=(3, 5, 3, 5),
        leftIndent=5,
        rightIndent=5,
        spaceBefore=7,
        spaceAfter=7,
    ),
}


def text(words: str, style: str = "body", lead: str = "") -> Paragraph:
    """A paragraph of plain text, whatever looks like markup in it; `lead` is set bold before it."""
    bold = f"<b>{_markup(lead)}</b> " if lead else ""
    return Paragraph(bold + _markup(words), STYLES[style])


def printable(words: str) -> str:
    """The text as one can see it.

    Accents are joined to their letters, since nothing shapes them here. Controls, what turns the direction of text, and
    letters that the fonts lack are shown as a mark.
    """
    joined = unicodedata.normalize("NFC", words.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " "))
    known = _known_letters()
    return "".join(
        letter if letter in known else _UNPRINTABLE for letter in _BLANK_LINES.sub("\n\n", joined.strip("\n"))
    )


def shortened(words: str, font: str, size: float, width: float) -> str:
    """A line that is no wider than `width` points."""
    line = printable(words).replace("\n", " ")
    while line and pdfmetrics.stringWidth(line, font, size) > width:
        line = line[:-2] + "…" if len(line) > 1 else ""
    return line


@cache
def _known_letters() -> frozenset[str]:
    """What both fonts can draw. Beyond 16 bits ReportLab writes codes that cannot be copied out again."""
    use_fonts()
    plain, bold = (pdfmetrics.getFont(name).face.charToGlyph for name in (PLAIN, BOLD))
    drawn = {chr(code) for code in plain.keys() & bold.keys() if code <= _SIXTEEN_BITS}
    return frozenset({"\n"} | {letter for letter in drawn if _is_seen(letter)})


def _is_seen(letter: str) -> bool:
    return unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp") and letter not in _DIRECTIONS


def _markup(words: str) -> str:
    return escape(printable(words)).replace("\n", "<br/>")
