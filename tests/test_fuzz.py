"""A small part of `make fuzz`: drawings in every encoding, whole and damaged, through the sandbox and without it."""

from tests.fuzz.corpus import Sample, damaged, drawn
from tests.fuzz.outcomes import TAKEN, Outcome, is_clean, table
from tests.fuzz.passes import by_the_functions, differences, through_the_sandbox

_FILES = 150


def _part() -> list[Sample]:
    whole = drawn()
    spoilt = list(damaged(whole, seed=0))
    return [*whole, *spoilt[:: max(1, len(spoilt) // (_FILES - len(whole)))]][:_FILES]


def test_no_drawn_or_damaged_file_crashes_hangs_or_is_told_otherwise_in_the_sandbox() -> None:
    samples = _part()
    assert len(samples) == _FILES
    sandboxed, child_mb = through_the_sandbox(samples)
    assert is_clean(sandboxed), table("In the sandbox", sandboxed, child_mb)
    pure, process_mb = by_the_functions(samples)
    assert is_clean(pure), table("Without", pure, process_mb)
    assert differences(sandboxed, pure) == []
    refused = sum(outcome.said["inspect"] != TAKEN for outcome in sandboxed)
    print(f"{len(samples)} files, {refused} refused at intake, a child took {child_mb:.0f} MB at most")
    assert 20 < refused < _FILES - 20, "the corpus says nothing"


def test_a_finding_and_a_hang_are_not_clean_and_a_lost_child_is() -> None:
    assert is_clean([Outcome("a", {"inspect": TAKEN}), Outcome("b", lost=["decode: SIGSEGV"])])
    assert not is_clean([Outcome("a", findings=["decode: ValueError"])])
    assert not is_clean([Outcome("a", seconds=30.0)])


def test_damage_is_the_same_each_time_and_another_with_another_seed() -> None:
    whole = drawn()[:2]
    assert list(damaged(whole, seed=1)) == list(damaged(whole, seed=1))
    assert list(damaged(whole, seed=1)) != list(damaged(whole, seed=2))
