"""What became of each file, and what of it is a finding."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

TAKEN = "taken"
SECONDS = 20.0
"""Longer than any file of this corpus should take in one of the paths."""


@dataclass
class Outcome:
    """Of one file in one pass. `said`: for each path, taken or the code of its refusal."""

    name: str
    said: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)
    """Children that ended over it, each with its path and ending."""
    findings: list[str] = field(default_factory=list)


def table(title: str, outcomes: Iterable[Outcome], peak_mb: float) -> str:
    """In one column of words and one of figures."""
    outcomes = list(outcomes)
    slowest = max(outcomes, key=lambda outcome: outcome.seconds)
    at_intake = Counter(outcome.said.get("inspect", "") for outcome in outcomes)
    refused = {code: count for code, count in at_intake.most_common() if code not in {"", TAKEN}}
    in_decoding = sum(
        outcome.said.get("inspect") == TAKEN and set(outcome.said.values()) != {TAKEN} for outcome in outcomes
    )
    rows = [
        ("files", str(len(outcomes))),
        ("taken in", str(sum(outcome.said.get("inspect") == TAKEN for outcome in outcomes))),
        ("  of these refused in decoding", str(in_decoding)),
        *((f"refused: {code}", str(count)) for code, count in refused.items()),
        ("children lost", str(sum(len(outcome.lost) for outcome in outcomes))),
        ("crashes", str(sum(len(outcome.findings) for outcome in outcomes))),
        ("hangs", str(sum(outcome.seconds > SECONDS for outcome in outcomes))),
        ("slowest", f"{slowest.seconds:.2f} s, {slowest.name}"),
        ("peak memory", f"{peak_mb:.0f} MB"),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [title, *(f"  {name:<{width}}  {figure}" for name, figure in rows)]
    lines += [f"  child lost: {outcome.name}: {lost}" for outcome in outcomes for lost in outcome.lost]
    lines += [f"  FINDING: {outcome.name}: {what}" for outcome in outcomes for what in outcome.findings]
    lines += [f"  HANG: {outcome.name}" for outcome in outcomes if outcome.seconds > SECONDS]
    return "\n".join(lines)


def is_clean(outcomes: Iterable[Outcome]) -> bool:
    return not any(outcome.findings or outcome.seconds > SECONDS for outcome in outcomes)
