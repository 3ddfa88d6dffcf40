"""Where system calls are filtered, and what is said where they are not."""

import pytest

from diagnoses.checks import decoders_are_filtered
from diagnoses.imaging import syscalls


def test_they_are_filtered_here_and_nobody_is_warned() -> None:
    assert syscalls.are_filtered_here()
    assert decoders_are_filtered(None) == []


def test_a_machine_that_is_not_known_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diagnoses.imaging.syscalls.platform.machine", lambda: "riscv64")
    [concern] = decoders_are_filtered(None)
    assert concern.id == "diagnoses.W003"
    assert "seccomp" in (concern.hint or "")


@pytest.mark.parametrize("column", [0, 1])
def test_no_number_stands_for_two_calls(column: int) -> None:
    calls = {**syscalls._ALLOWED, **syscalls._TO_ITSELF, **syscalls._OF_ITSELF}
    numbers = [pair[column] for pair in calls.values() if pair[column] != syscalls._ABSENT]
    assert len(set(numbers)) == len(numbers) >= len(calls) - 1
