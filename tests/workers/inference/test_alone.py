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


@pytest.mark.parametrize(
    ("told", "ending"),
    [
        (b"abort", Ending.CRASHED),
        (b"be killed", Ending.OUT_OF_MEMORY),
        (b"take all memory", Ending.OUT_OF_MEMORY),
        (b"never return", Ending.TOO_LONG),
    ],
)
def test_a_reading_that_ends_without_an_answer_says_how(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, told: bytes, ending: Ending
) -> None:
    monkeypatch.setattr(alone, "_MODULE", "tests.workers.inference.told_reader")
    with pytest.raises(NoAnswerError, match=ending) as caught:
        read_alone(reader, ReadRequest(told), seconds=4)
    assert caught.value.ending is ending
