"""`make chaos` in short: a handful of its faults, those that take seconds, on a site of their own."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from tests.chaos.faults import FAULTS
from tests.chaos.inputs import Kind
from tests.chaos.invariant import Damage, breaches
from tests.chaos.report import show
from tests.chaos.run import Outcome, Plan, run

pytestmark = pytest.mark.alone

QUICK = [
    "crashing file",
    "full disk",
    "failing disk",
    "web killed before its ring",
    "Redis emptied",
    "doorbell repeated",
]


@pytest.fixture(scope="module")
def outcome(static_files: None) -> Outcome:
    plan = Plan(seed=1, seconds=0, faults=[FAULTS[name] for name in QUICK], pause_seconds=2, every_seconds=1.5)
    return run(plan, print)


def test_no_quick_fault_loses_or_doubles_anything(outcome: Outcome) -> None:
    assert outcome.breaches == []
    assert sorted(episode.fault for episode in outcome.episodes) == sorted(QUICK)


def test_a_worker_was_lost_and_files_of_several_kinds_were_answered(outcome: Outcome) -> None:
    jobs = [job for image in outcome.books.images for job in image.jobs]
    assert any(step.move == "recover" for job in jobs for step in job.steps), "no worker was lost"
    kinds = {file.kind for file in outcome.ledger.accepted().values()}
    assert {Kind.VALID, Kind.DUPLICATE, Kind.CRASHING} <= kinds
    assert "reader_crashed" in {job.error_code for job in jobs}


def test_the_same_books_with_one_study_less_would_not_pass(outcome: Outcome) -> None:
    answered = {study.study_id for study in outcome.ledger.studies.values()}
    kept = outcome.books.studies
    gone = next(study for study in kept if study.id in answered)
    without = replace(outcome.books, studies=tuple(study for study in kept if study is not gone))
    assert {breach.damage for breach in breaches(outcome.ledger, without)} == {Damage.LOST}


def test_the_report_names_the_seed_each_fault_and_how_often_it_was_injected(outcome: Outcome) -> None:
    console = Console(file=io.StringIO(), width=120)
    show(outcome, console)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Seed 1" in said
    for name in QUICK:
        row = next(line for line in said.splitlines() if name in line)
        assert [cell.strip() for cell in row.strip("│").split("│")][1:4] == ["1", "0", "0"]
