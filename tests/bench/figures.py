"""Figures, what they should be, and how they are shown."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

Figures = dict[str, float]
"""What a measure found, by names with underscores that end in their unit where they have one."""


@dataclass(frozen=True)
class Goal:
    """What a figure should be: at least, or at most, this much."""

    limit: float
    is_floor: bool

    def is_met_by(self, value: float) -> bool:
        """A figure that is no number meets nothing."""
        return value >= self.limit if self.is_floor else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.is_floor else '≤'} {self.limit:g}"


def at_least(limit: float) -> Goal:
    return Goal(limit, is_floor=True)


def at_most(limit: float) -> Goal:
    return Goal(limit, is_floor=False)


@dataclass(frozen=True)
class Row:
    """A line of the table. Without a goal the figure is there to be known; without a value it could not be taken."""

    measure: str
    figure: str
    value: float | None
    goal: Goal | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        return self.value is not None and self.goal.is_met_by(self.value)

    def data(self) -> dict[str, Any]:
        """The same for JSON."""
        target = str(self.goal) if self.goal else None
        return {
            "measure": self.measure,
            "figure": self.figure,
            "value": self.value,
            "target": target,
            "met": self.met,
        }


def rows_of(measure: str, figures: Figures, goals: Mapping[str, Goal]) -> list[Row]:
    """A row for each figure, those with goals first. Raises ValueError where none of the goals has its figure."""
    if not figures.keys() & goals.keys():
        raise ValueError(f"{measure} gave none of {', '.join(goals)}")
    names = sorted(figures, key=lambda name: name not in goals)
    # Of numpy's numbers JSON knows nothing.
    return [Row(measure, name, float(figures[name]), goals.get(name)) for name in names]


def ratio_of_turns(turns: Sequence[tuple[float, float]]) -> float:
    """The median of each turn's own ratio, so that a machine that grows slower meanwhile changes nothing."""
    return statistics.median(above / below for above, below in turns)


def ratio_of_medians(above: Sequence[float], below: Sequence[float]) -> float:
    return statistics.median(above) / statistics.median(below)


def table_of(rows: Sequence[Row], title: str) -> Table:
    """What people see."""
    table = Table("Measured", "Value", "Target", "Met", title=title)
    for row in rows:
        met = {True: "yes", False: "NO", None: ""}[row.met]
        words = f"{row.measure}: {row.figure.replace('_', ' ')}"
        table.add_row(words, shown(row.value), str(row.goal) if row.goal else "", met)
    return table


def shown(value: float | None) -> str:
    """Four digits that count, and never a power of ten."""
    if value is None:
        return "failed"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
