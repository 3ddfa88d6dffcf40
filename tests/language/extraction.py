"""Finding all that a person may read: in code, in templates, in the names of models, and on models' cards."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract
from django.apps import apps
from django.utils.translation.template import templatize

from diagnoses.language import names_of
from tests.language.others import OTHERS

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATES = ROOT / "diagnoses" / "templates"
CARDS = ROOT / "workers" / "models"

_CODE = ("diagnoses", "workers", "cxrsite")
_KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop", "for_people")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
    "ImageError": (2,),
    "FileError": (2,),
    "NoResult": (3,),
    # Said.of(...): a keyword is a single name, and nothing else in the product is called so.
    "of": (1,),
}
"""What marks words for people, and at which of its arguments they stand."""


def extracted() -> Catalog:
    """All that can be said, in English, each with the files that say it."""
    catalog = Catalog()
    for place, message, context in [*_of_code(), *_of_templates(), *_of_models(), *_of_cards()]:
        catalog.add(message, locations=[(place, 0)], context=context)
    for message in OTHERS:
        catalog.add(message, locations=[("tests/language/others.py", 0)])
    return catalog


_Found = tuple[str, str | tuple[str, ...], str | None]


def _of_code() -> Iterator[_Found]:
    for room in _CODE:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "migrations" not in path.parts:
                yield from _found_in(path, path.read_text())


def _of_templates() -> Iterator[_Found]:
    for path in sorted(TEMPLATES.rglob("*.html")):
        code = templatize(path.read_text(), origin=str(path))
        yield from _found_in(path, "\n".join(line.lstrip() for line in code.splitlines()))


def _of_models() -> Iterator[_Found]:
    for model in apps.get_app_config("diagnoses").get_models():
        place = f"{model.__module__.replace('.', '/')}.py"
        yield from ((place, name, None) for name in sorted(names_of(model)))


def _of_cards() -> Iterator[_Found]:
    """The sentences of the cards that pages show. Templates look words up with their percent signs doubled."""
    for path in sorted(CARDS.glob("*/card.json")):
        card = json.loads(path.read_text())
        training = card["training"]
        for words in (card["intended_use"], *card["limits"], training["population"], training["data"]):
            yield str(path.relative_to(ROOT)), words.replace("%", "%%"), None


def _found_in(path: Path, code: str) -> Iterator[_Found]:
    for _, message, _, context in extract("python", BytesIO(code.encode()), _KEYWORDS, options={"encoding": "utf-8"}):
        if message:
            yield str(path.relative_to(ROOT)), message, context
