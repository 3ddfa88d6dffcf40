"""The catalogues as they lie in the repository: one file for each language beside English."""

import re
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog, Message
from babel.messages.pofile import read_po, write_po

from tests.language.extraction import ROOT, extracted

LOCALE = ROOT / "diagnoses" / "locale"
_WIDTH = 120
_PLACE = re.compile(r"%\(\w+\)[a-z]|\{\w*\}|%[sd]|%%")


def catalogue_files() -> list[Path]:
    return sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def renewed(path: Path) -> bytes:
    """The catalogue with all that the product says now and nothing else. What is new has no translation yet."""
    catalog = read(path)
    catalog.update(extracted(), no_fuzzy_matching=True, update_creation_date=False)
    return written(catalog)


def written(catalog: Catalog) -> bytes:
    """Sorted and without line numbers, so that a change of code changes little here."""
    file = BytesIO()
    write_po(file, catalog, width=_WIDTH, sort_output=True, ignore_obsolete=True, include_lineno=False)
    return file.getvalue()


def faults_of(catalog: Catalog) -> list[str]:
    """What is wrong with the translations of a catalogue, in words."""
    faults = [f"no translation: {words(message)!r}" for message in catalog if message.id and not all(forms(message))]
    faults += [f"fuzzy: {words(message)!r}" for message in catalog if message.id and message.fuzzy]
    faults += [f"other places than its source: {words(message)!r}" for message in catalog if _differ(message)]
    return faults


def words(message: Message) -> str:
    """Its English; of several forms the last, which holds every place."""
    return message.id if isinstance(message.id, str) else message.id[-1]


def forms(message: Message) -> list[str]:
    """Its translation, in as many forms as the language has."""
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def _differ(message: Message) -> bool:
    places = sorted(_PLACE.findall(words(message)))
    return any(form and sorted(_PLACE.findall(form)) != places for form in forms(message))
