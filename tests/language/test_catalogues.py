"""Every language says all that English says, and says it with the same numbers in it."""

from io import BytesIO
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from django.conf import settings

from tests.language.catalogues import catalogue_files, faults_of, read, renewed, words
from tests.language.extraction import ROOT, extracted

FILES = catalogue_files()
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.parent.name)


def key(catalog: Catalog) -> set[tuple[str | None, str]]:
    return {(message.context, words(message)) for message in catalog if message.id}


def test_every_language_but_english_has_its_catalogue() -> None:
    assert [path.parent.parent.name for path in FILES] == [code for code, _ in settings.LANGUAGES if code != "en"]


@each_file
def test_a_catalogue_holds_all_that_the_product_says(path: Path) -> None:
    missing = key(extracted()) - key(read(path))
    assert not missing, f"Run `make messages`, then translate in {path.relative_to(ROOT)}: {sorted(map(str, missing))}"


@each_file
def test_a_catalogue_holds_nothing_else_and_lies_as_make_messages_leaves_it(path: Path) -> None:
    assert path.read_bytes() == renewed(path), f"Run `make messages`; it changes {path.relative_to(ROOT)}."


@each_file
def test_each_translation_is_there_and_has_the_places_of_its_source(path: Path) -> None:
    assert faults_of(read(path)) == []


@each_file
def test_babel_finds_no_fault_in_a_catalogue(path: Path) -> None:
    assert [(message.id, faults) for message, faults in read(path).check()] == []


@each_file
def test_a_compiled_catalogue_is_that_of_its_source(path: Path) -> None:
    compiled = path.with_suffix(".mo")
    assert compiled.exists(), f"Run `make {compiled.relative_to(ROOT)}`."
    fresh = BytesIO()
    write_mo(fresh, read(path))
    assert compiled.read_bytes() == fresh.getvalue(), f"It is old: run `make {compiled.relative_to(ROOT)}`."


def test_a_translation_with_another_place_than_its_source_is_a_fault() -> None:
    catalog = Catalog(locale="vi")
    catalog.add("{count} images", "{số} ảnh")
    catalog.add("%(low)s to %(high)s", "%(high)s")
    catalog.add("Empty", "")
    assert faults_of(catalog) == [
        "no translation: 'Empty'",
        "other places than its source: '{count} images'",
        "other places than its source: '%(low)s to %(high)s'",
    ]


def test_the_extraction_finds_words_in_code_templates_models_and_cards() -> None:
    found = key(extracted())
    for sentence in (
        "This is no PNG, JPEG or DICOM file.",
        "The picture has {width} x {height} pixels; at least {least} on each side are needed. Send the original, not "
        "a thumbnail.",
        "The stored file could not be read. Your administrator can look into it and retry.",
        "%(low)s and %(high)s",
        "accession number",
        "It answers Normal or Pneumonia and nothing else: any other finding is outside its view.",
    ):
        assert (None, sentence) in found, sentence
    assert ("in the queue", "next") in found
