"""How many jobs a worker takes at once."""

import pytest
from django.conf import LazySettings

from workers import pace as paces
from workers.pace import Pace


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> Clock:
    settings.CXR_BATCH_SIZE = 16
    clock = Clock()
    monkeypatch.setattr(paces, "time", clock)
    monkeypatch.setattr(paces, "_SIDE_BY_SIDE", 1)
    return clock


def read(pace: Pace, clock: Clock, images: int, seconds: float) -> None:
    with pace.timing(images):
        clock.now += seconds


def test_before_anything_was_read_a_full_batch_is_taken(clock: Clock) -> None:
    assert Pace().limit(0.1) == 16


@pytest.mark.parametrize(("seconds_per_image", "limit"), [(0.001, 16), (0.024, 4), (0.06, 1), (3.0, 1)])
def test_a_batch_is_what_the_engine_reads_in_a_tenth_of_a_second(
    clock: Clock, seconds_per_image: float, limit: int
) -> None:
    pace = Pace()
    read(pace, clock, 8, 8 * seconds_per_image)
    assert pace.limit(0.1) == limit


def test_a_batch_has_as_many_images_as_there_are_processors_or_a_multiple_of_them(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace = Pace()
    read(pace, clock, 8, 8 * 0.015)
    limits = []
    for processors in (1, 2, 4, 8, 64):
        monkeypatch.setattr(paces, "_SIDE_BY_SIDE", processors)
        limits.append(pace.limit(0.1))
    assert limits == [6, 6, 4, 8, 16]


def test_what_a_call_costs_however_many_images_it_has_makes_no_batch_smaller(clock: Clock) -> None:
    pace = Pace()
    for _ in range(3):
        read(pace, clock, pace.limit(0.1), 0.2)
    taken = []
    for _ in range(100):
        taken.append(pace.limit(0.1))
        read(pace, clock, pace.limit(0.1), 0.2)
    assert sum(taken) / len(taken) > 15


def test_only_what_an_image_more_costs_is_held_to_a_tenth_of_a_second(clock: Clock) -> None:
    pace = Pace()
    for images in (1, 16, 8):
        read(pace, clock, images, 0.3 + images * 0.024)
    assert pace.limit(0.1) == 4


def test_one_slow_batch_does_not_make_all_that_follow_small(clock: Clock) -> None:
    pace = Pace()
    read(pace, clock, 10, 0.06)
    read(pace, clock, 10, 3.0)
    assert pace.limit(0.1) == 1
    read(pace, clock, 1, 0.006)
    for _ in range(20):
        read(pace, clock, 10, 0.06)
    assert pace.limit(0.1) == 16


def test_a_batch_that_broke_teaches_nothing(clock: Clock) -> None:
    pace = Pace()

    def broken() -> None:
        with pace.timing(1):
            clock.now += 9
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert pace.limit(0.1) == 16
