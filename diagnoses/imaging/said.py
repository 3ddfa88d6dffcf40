"""Words for people that are kept: in English, and so that they can be said again in the language of whoever reads them.

Pure, since decoders and workers say such words, too. The catalogues are asked where they are shown
(`diagnoses.language`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

Fact = str | int

_PLACE = re.compile(r"\{(\w+)\}")
_LONGEST_FACT = 100


@dataclass(frozen=True)
class Said:
    """A template with named places like {width}, and what stands in them."""

    template: str
    facts: tuple[tuple[str, Fact], ...]

    @classmethod
    def of(cls, template: str, **facts: Fact) -> Self:
        """The template must be written out in the call: there the extraction finds it.

        What a file says of itself is quoted within bounds, without what no text shows and PostgreSQL does not take.
        """
        return cls(template, tuple((name, _quotable(fact)) for name, fact in facts.items()))

    @property
    def text(self) -> str:
        """In English."""
        return fill(self.template, dict(self.facts))

    def as_json(self) -> dict[str, Any]:
        """As rows keep it."""
        return {"template": self.template, "facts": dict(self.facts)}


def _quotable(fact: Fact) -> Fact:
    if isinstance(fact, int):
        return fact
    text = "".join(filter(str.isprintable, fact))
    return text if len(text) <= _LONGEST_FACT else f"{text[:_LONGEST_FACT]}…"


def fill(template: str, facts: Mapping[str, Fact]) -> str:
    """The template with its facts. It does less than `str.format`, so that no template can do harm."""
    return _PLACE.sub(lambda place: str(facts.get(place[1], place[0])), template)


def for_people(words: str) -> str:
    """The same words, marked: here the extraction finds what is said elsewhere."""
    return words
