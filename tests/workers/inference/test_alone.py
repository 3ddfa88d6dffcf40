"""Reading in a process of its own: the same answers, and a word for each way to end without one."""

import pytest

from diagnoses.imaging.errors import ImageError, ImageFault
from tests import pictures
from tests.conftest import SHIPPED_MODEL
from workers.inference import alone
from workers.inference.alone import Ending, NoAnswerError, read_alone
from workers.inference.reader import Reader, Reading, ReadRequest


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(SHIPPED_MODEL, "openvino")


def test_a_file_that_is_read_alone_gets_the_answer_that_it_gets_among_others(reader: Reader) -> None:
    request = ReadRequest(pictures.png(pictures.phantom()), age_years=9.0, gate_overridden=True)
    [expected] = reader.read([request])
    answer = read_alone(reader, request, seconds=60)
    assert isinstance(answer, Reading)
    assert isinstance(expected, Reading)
    ours, theirs = vars(answer), vars(expected)
    assert ours.pop("timings_ms").keys() == theirs.pop("timings_ms").keys()
    assert ours.pop("score") == pytest.approx(theirs.pop("score"), abs=1e-4)
    assert ours.pop("probability") == pytest.approx(theirs.pop("probability"), abs=1e-5)
    assert ours.pop("heatmap_peak") == pytest.approx(theirs.pop("heatmap_peak"), abs=1e-4)
    assert ours == theirs
    assert "outside_age" in answer.warnings


def test_a_file_that_is_no_picture_is_refused_alone_as_among_others(reader: Reader) -> None:
    request = ReadRequest(b"Dear colleague, please find attached")
    [expected] = reader.read([request])
    answer = read_alone(reader, request, seconds=60)
    assert isinstance(answer, ImageError)
    assert isinstance(expected, ImageError)
    assert (answer.fault, answer.message) == (ImageFault(expected.fault), expected.message)


def test_a_reading_that_never_returns_is_ended(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "_MODULE", "tests.workers.inference.busy")
    with pytest.raises(NoAnswerError) as caught:
        read_alone(reader, ReadRequest(b""), seconds=3)
    assert caught.value.ending is Ending.TOO_LONG


def test_a_reading_that_takes_too_much_memory_is_ended(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "_MODULE", "tests.workers.inference.hungry")
    with pytest.raises(NoAnswerError) as caught:
        read_alone(reader, ReadRequest(b""), seconds=20)
    assert caught.value.ending is Ending.OUT_OF_MEMORY


def test_a_reading_that_ends_the_interpreter_is_told_from_one_that_answers(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alone, "_MODULE", "tests.workers.inference.poison")
    with pytest.raises(NoAnswerError, match="reader_crashed") as caught:
        read_alone(reader, ReadRequest(b""), seconds=60)
    assert caught.value.ending is Ending.CRASHED
