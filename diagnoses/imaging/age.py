"""How old a patient was: whole years are counted by birthdays, as people count them."""

from datetime import date

_LONGEST_YEAR = 366


def years_between(born: date, day: date) -> float | None:
    """The age on `day` in years; the part after the point says how far the year of life has gone.

    It reaches a whole number on the birthday and not before. None for a day before the birth.
    """
    if day < born:
        return None
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    return years + (day - _birthday(born, born.year + years)).days / _LONGEST_YEAR


def _birthday(born: date, year: int) -> date:
    """Whoever was born on 29 February is a year older on 1 March where there is none."""
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 3, 1)
