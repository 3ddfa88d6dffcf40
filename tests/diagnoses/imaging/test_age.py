"""Ages turn on birthdays."""

from datetime import date

import pytest

from diagnoses.imaging.age import years_between


@pytest.mark.parametrize(
    ("born", "day", "years"),
    [
        pytest.param("2020-03-14", "2020-03-14", 0, id="on the day of birth"),
        pytest.param("2022-03-01", "2023-03-01", 1, id="on the first birthday, after 365 days"),
        pytest.param("2017-03-01", "2023-03-01", 6, id="on the sixth birthday, after 2,191 days"),
        pytest.param("2018-03-01", "2024-03-01", 6, id="on the sixth birthday, after 2,192 days"),
        pytest.param("2020-02-29", "2023-03-01", 3, id="born on a leap day, on 1 March"),
        pytest.param("2020-02-29", "2024-02-29", 4, id="born on a leap day, on the next one"),
    ],
)
def test_an_age_reaches_a_whole_number_on_the_birthday(born: str, day: str, years: int) -> None:
    assert years_between(date.fromisoformat(born), date.fromisoformat(day)) == years


@pytest.mark.parametrize(
    ("born", "day"), [("2017-03-01", "2023-02-28"), ("2018-03-01", "2024-02-29"), ("2016-02-29", "2022-02-28")]
)
def test_a_day_before_the_sixth_birthday_the_age_is_still_five(born: str, day: str) -> None:
    years = years_between(date.fromisoformat(born), date.fromisoformat(day))
    assert years is not None
    assert 5.9 < years < 6


def test_half_a_year_shows() -> None:
    assert years_between(date(2020, 1, 1), date(2023, 7, 2)) == pytest.approx(3.5, abs=0.01)


def test_before_the_birth_there_is_no_age() -> None:
    assert years_between(date(2020, 1, 2), date(2020, 1, 1)) is None
