"""No template speaks English to everybody."""

from pathlib import Path

import pytest

from tests.language.extraction import ROOT, TEMPLATES
from tests.language.literals import untranslated

FILES = sorted(TEMPLATES.rglob("*.html"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_a_template_says_nothing_outside_of_translations(path: Path) -> None:
    found = untranslated(path.read_text())
    assert not found, (
        f"{path.relative_to(ROOT)} says in English to everybody: {found}. Put words into {{% translate %}} or "
        "{% blocktranslate trimmed %}, and dates into one of the language's formats, like SHORT_DATETIME_FORMAT."
    )


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
        ("{% block width %}container-fluid{% endblock %}<kbd>Enter</kbd>", []),
        ("{% blocktranslate trimmed %}Sent by {{ name }}{% endblocktranslate %}<svg><text>ab</text></svg>", []),
        ('{# A note #}<time datetime="{{ day|date:\'c\' }}"></time><script src="a.js"></script>', []),
    ],
)
def test_words_outside_of_translations_are_found(source: str, found: list[str]) -> None:
    assert untranslated(source) == found
