"""Fonts, styles, and text as paper takes it."""

import re
import unicodedata
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

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
_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
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

    Accents are joined to their letters, since nothing shapes them here. Controls, and what turns the direction of
    text, are shown as a mark instead of being obeyed.
    """
    joined = unicodedata.normalize("NFC", words.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " "))
    marked = "".join(_UNPRINTABLE if _is_control(letter) else letter for letter in joined)
    return _DIRECTIONS.sub(_UNPRINTABLE, _BLANK_LINES.sub("\n\n", marked.strip("\n")))


def shortened(words: str, font: str, size: float, width: float) -> str:
    """A line that is no wider than `width` points."""
    line = printable(words).replace("\n", " ")
    while line and pdfmetrics.stringWidth(line, font, size) > width:
        line = line[:-2] + "…" if len(line) > 1 else ""
    return line


def _is_control(letter: str) -> bool:
    return letter != "\n" and unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")


def _markup(words: str) -> str:
    return escape(printable(words)).replace("\n", "<br/>")
