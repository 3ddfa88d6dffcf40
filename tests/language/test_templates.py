"""No template speaks English to everybody."""

from pathlib import Path

import pytest

from tests.language.extraction import ROOT, TEMPLATES
from tests.language.literals import untranslated

NOT_YET_TRANSLATED = {"send.html", "history.html", "study.html", "_images.html"}
"""Pages of diagnoses/templates/diagnoses that are still to be marked."""

FILES = sorted(path for path in TEMPLATES.rglob("*.html") if path.name not in NOT_YET_TRANSLATED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_a_template_says_nothing_outside_of_translations(path: Path) -> None:
    found = untranslated(path.read_text())
    assert not found, (
        f"{path.relative_to(ROOT)} says in English to everybody: {found}. Put words into {{% translate %}} or "
        "{% blocktranslate trimmed %}, and dates into one of the language's formats, like SHORT_DATETIME_FORMAT."
    )


@pytest.mark.parametrize("name", sorted(NOT_YET_TRANSLATED))
def test_a_template_that_is_excused_still_has_words_to_mark(name: str) -> None:
    assert untranslated((TEMPLATES / "diagnoses" / name).read_text()), f"{name} is done: take it off the list."


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>Waiting</p>", ["Waiting"]),
        ("<p>{% if a %}Yes{% endif %} {{ count }} %</p>", ["Yes %"]),
        ('<td data-label="Sent">{{ a }}</td>', ["Sent"]),
        ('<img alt="Radiograph {{ name }}">', ["Radiograph"]),
        ('{{ day|date:"Y-m-d" }}', ['|date:"Y-m-d"']),
        ("{{ a|default:'None yet' }}", ["|default:'None yet'"]),
        ('<img alt="{% translate \'Radiograph\' %}"> {% translate "Sent" %} · 100 %', []),
        ('{{ day|date:"DATE_FORMAT" }}', []),
        ("{% blocktranslate trimmed %}Sent by {{ name }}{% endblocktranslate %}<svg><text>ab</text></svg>", []),
        ('{# A note #}<time datetime="{{ day|date:\'c\' }}"></time><script src="a.js"></script>', []),
    ],
)
def test_words_outside_of_translations_are_found(source: str, found: list[str]) -> None:
    assert untranslated(source) == found
