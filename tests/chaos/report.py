"""The table in the end, and the list of what does not hold."""

import math
from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from tests.chaos.invariant import Damage
from tests.chaos.run import Episode, Outcome

_Span = tuple[float, float]


def show(outcome: Outcome, console: Console) -> None:
    """Print all of it."""
    table = Table("Fault", "Injected", "Lost", "Duplicated", "Longest delay (s)", title=f"Seed {outcome.plan.seed}")
    for column in table.columns[1:]:
        column.justify = "right"
    spans = dict(_spans(outcome))
    for fault in outcome.plan.faults:
        episodes = [episode for episode in outcome.episodes if episode.fault == fault.name]
        touched = {image for image, span in spans.items() if any(_meet(span, episode) for episode in episodes)}
        table.add_row(fault.name, str(len(episodes)), *_figures(outcome, touched, spans))
    table.add_section()
    table.add_row("All", str(len(outcome.episodes)), *_totals(outcome, spans))
    console.print(table)
    console.print(_in_words(outcome), highlight=False)
    for breach in outcome.breaches:
        console.print(f"{breach.damage}: {breach.words}", highlight=False, markup=False)
    if outcome.logs:
        console.print(f"The logs are in {outcome.logs}.", highlight=False)


def _spans(outcome: Outcome) -> Iterator[tuple[str, _Span]]:
    """From when to when each image was open: for ever where it has no end, or is not there at all."""
    for study in outcome.ledger.studies.values():
        yield from ((image, (study.answered_at, math.inf)) for image in study.accepted)
    for row in outcome.books.studies:
        for image in row.images:
            ends = [job.ended_at or math.inf for job in image.jobs]
            yield image.id, (row.created_at, max(ends, default=math.inf))


def _meet(span: _Span, episode: Episode) -> bool:
    return span[0] <= episode.ended_at and span[1] >= episode.started_at


def _figures(outcome: Outcome, images: set[str], spans: dict[str, _Span]) -> tuple[str, str, str]:
    damages = Counter(breach.damage for breach in outcome.breaches if breach.image_id in images)
    return str(damages[Damage.LOST]), str(damages[Damage.DUPLICATED]), _longest(spans[image] for image in images)


def _totals(outcome: Outcome, spans: dict[str, _Span]) -> tuple[str, str, str]:
    damages = Counter(breach.damage for breach in outcome.breaches)
    return str(damages[Damage.LOST]), str(damages[Damage.DUPLICATED]), _longest(iter(spans.values()))


def _longest(spans: Iterator[_Span]) -> str:
    return f"{max((end - start for start, end in spans), default=0.0):.1f}"


def _in_words(outcome: Outcome) -> str:
    books, ledger = outcome.books, outcome.ledger
    ends = Counter(f"{job.status} {job.error_code}".strip() for image in books.images for job in image.jobs)
    refused = sum(len(study.rejected) for study in books.studies)
    again = sum(step.move == "recover" for image in books.images for job in image.jobs for step in job.steps)
    lines = [
        f"{len(ledger.studies)} studies were sent, and {len(ledger.accepted())} images answered with 202; "
        f"{refused} files were refused at once.",
        "Ends: " + ", ".join(f"{count} {end}" for end, count in sorted(ends.items())) + ".",
        f"{again} times a job was taken from a worker that was lost.",
        f"Orphan files: {len(books.orphans(0))}. The full disk was {outcome.full_disk}.",
        f"{len(outcome.breaches)} breaches.",
    ]
    return "\n".join(lines)
