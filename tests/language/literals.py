"""Finding words in templates that would be English in every language."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from django.template.base import Lexer, TokenType

_SHOWN_ATTRIBUTES = {"alt", "aria-label", "aria-description", "data-label", "label", "placeholder", "summary", "title"}
_NOT_SHOWN = {"script", "style", "code", "svg", "kbd"}
_IN_ATTRIBUTES = {"width"}
"""Blocks that pages fill with the value of an attribute."""
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_FIXED_DATE = re.compile(r"\|\s*(?:date|time):(['\"])(?!c\1|[A-Z_]+_FORMAT\1)([^'\"]*)\1")
_FIXED_WORDS = re.compile(r"\|\s*(?:default|default_if_none|yesno|pluralize|join):(['\"])([^'\"]*[A-Z][^'\"]*)\1")


def untranslated(source: str) -> list[str]:
    """The words of a template that stand outside of its translations, and its dates in a format of its own."""
    parser = _Words()
    tags: list[str] = []
    parser.feed("".join(_shown(source, tags)))
    parser.close()
    fixed = [found[0] for tag in tags for pattern in (_FIXED_DATE, _FIXED_WORDS) if (found := pattern.search(tag))]
    return parser.found + fixed


def shown_words(page: str) -> list[str]:
    """All that a finished page says, piece by piece."""
    parser = _Words()
    parser.feed(page)
    parser.close()
    return parser.found


def _shown(source: str, tags: list[str]) -> Iterator[str]:
    """The template's own text. What it computes is left out, and what it has translated; tags go to `tags`."""
    skipped_until = ""
    for token in Lexer(source).tokenize():
        name = token.contents.split()[0] if token.token_type is TokenType.BLOCK else ""
        if skipped_until:
            skipped_until = "" if name == skipped_until else skipped_until
        elif name == "block" and token.split_contents()[1] in _IN_ATTRIBUTES:
            skipped_until = "endblock"
        elif name in ("blocktranslate", "blocktrans", "comment"):
            skipped_until = f"end{name}"
            tags.append(token.contents)
        elif token.token_type is TokenType.TEXT:
            yield token.contents
        elif token.token_type is not TokenType.COMMENT:
            tags.append(f"{token.contents}")


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden_in: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(*(value or "" for name, value in attrs if name in _SHOWN_ATTRIBUTES))
        if tag in _NOT_SHOWN:
            self._hidden_in.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden_in and self._hidden_in[-1] == tag:
            self._hidden_in.pop()

    def handle_data(self, data: str) -> None:
        if not self._hidden_in:
            self._note(data)

    def _note(self, *texts: str) -> None:
        self.found += [" ".join(text.split()) for text in texts if _LETTERS.search(text)]
