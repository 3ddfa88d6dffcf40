"""Charts as a page holds them: the numbers for `charts.js` to draw, and the same as a table for everybody."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.utils.formats import number_format
from django.utils.translation import gettext as _

Unit = Literal["", "%", "s"]
NOTHING = "\N{EN DASH}"
"""Stands where there is no value."""


@dataclass(frozen=True)
class Series:
    """One line, or the bars of one colour: a value for each label, None where there is none.

    Percentages are 0 to 100, times are seconds. `low` and `high` are the limits of the values' intervals, and `links`
    lead to the cases behind each value (empty where there is no way).
    """

    label: str
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    links: Sequence[str] = ()


@dataclass(frozen=True)
class Cell:
    """A value in words, and where it leads."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class Row:
    """What a table says of one label."""

    label: str
    cells: list[Cell]


@dataclass(frozen=True)
class Chart:
    """A chart; `name` is unique in its page and `label_title` is what its labels are."""

    name: str
    title: str
    kind: Literal["line", "bar"]
    label_title: str
    labels: Sequence[str]
    series: Sequence[Series]
    unit: Unit = ""
    stacked: bool = False
    max: float | None = field(default=None)

    @property
    def data(self) -> dict[str, Any]:
        """What `charts.js` reads."""
        return {
            "kind": self.kind,
            "stacked": self.stacked,
            "labels": list(self.labels),
            "series": [_drawn(series) for series in self.series],
            "unit": self.unit,
            "max": self.max,
        }

    @property
    def rows(self) -> list[Row]:
        """The same for a table, where anything is there to be said."""
        return [
            Row(label, [_cell(series, place, self.unit) for series in self.series])
            for place, label in enumerate(self.labels)
            if any(series.values[place] for series in self.series)
        ]


def in_words(value: float | None, unit: Unit = "") -> str:
    """A value as people read it in their language."""
    if value is None:
        return NOTHING
    if unit == "%":
        return percent(value / 100)
    return duration(value) if unit == "s" else number(value, 0)


def number(value: float, places: int) -> str:
    """A number with so many decimals. Rounded here, since Django cuts off what is left."""
    return str(number_format(round(value, places), places, force_grouping=True))


def percent(share: float | None) -> str:
    """0.9312 as `93.1 %`. What is not quite none or all is never rounded to it."""
    if share is None:
        return NOTHING
    if 0 < share < 0.001:
        return f"< {number(0.1, 1)} %"
    if 0.999 < share < 1:
        return f"> {number(99.9, 1)} %"
    return f"{number(share * 100, 1)} %"


def duration(seconds: float | None) -> str:
    """So many seconds as `1.4 s`, `12 min` or `5.2 h`."""
    if seconds is None:
        return NOTHING
    if seconds < 100:
        return _("%(number)s s") % {"number": number(seconds, 1)}
    if seconds < 100 * 60:
        return _("%(number)s min") % {"number": number(seconds / 60, 0)}
    return _("%(number)s h") % {"number": number(seconds / 3600, 1)}


def _drawn(series: Series) -> dict[str, Any]:
    drawn: dict[str, Any] = {"label": series.label, "values": list(series.values)}
    if series.low:
        drawn |= {"low": list(series.low), "high": list(series.high)}
    return drawn


def _cell(series: Series, place: int, unit: Unit) -> Cell:
    value = series.values[place]
    text = in_words(value, unit)
    if value is not None and series.low:
        text = f"{text} ({in_words(series.low[place], unit)} {NOTHING} {in_words(series.high[place], unit)})"
    return Cell(text, series.links[place] if series.links else "")
