"""The lines of the processes' logs."""

import logging
import logging.config
import re
from datetime import datetime

import pytest
from django.conf import settings
from django.utils.module_loading import import_string


def line_of(message: str, *arguments: object) -> str:
    formatter: logging.Formatter = import_string("cxrsite.lines.LineFormatter")()
    return formatter.format(logging.LogRecord("place", logging.WARNING, "", 0, message, arguments, None))


def test_a_line_says_when_with_its_zone() -> None:
    when, level, name, words = line_of("Went %s.", "well").split(" ", 3)
    assert datetime.fromisoformat(when).utcoffset() is not None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", when)
    assert (level, name, words) == ("WARNING", "place", "Went well.")


def test_what_a_stranger_sent_makes_no_line_of_its_own_and_moves_no_terminal() -> None:
    line = line_of("Refused %s", "a\nb\rc\x1b[2Jd\u2028e\x85")
    assert line.endswith(r"Refused a\nb\rc\x1b[2Jd\u2028e\x85")
    assert line_of("Tiếng Việt").endswith("Tiếng Việt")


@pytest.mark.parametrize(
    "path",
    ["/invitation/a-Secret_9/", "http://cxr.test/invitation/a-Secret_9?x=1", "/?next=%2Finvitation%2Fa-Secret_9%2F"],
)
def test_an_invitations_address_is_written_without_its_secret(path: str) -> None:
    line = line_of("Bad Request: %s", path)
    assert line.endswith(path.replace("a-Secret_9", "..."))
    error = ValueError(path)
    record = logging.LogRecord("place", logging.ERROR, "", 0, "Failed", (), (ValueError, error, None))
    written = import_string("cxrsite.lines.LineFormatter")().format(record)
    assert "ValueError" in written
    assert "a-Secret_9" not in written.splitlines()[-1]


@pytest.mark.parametrize("name", ["uvicorn", "django"])
def test_the_lines_of_what_we_stand_on_are_of_the_same_kind(name: str) -> None:
    logging.config.dictConfig(settings.LOGGING)
    logger = logging.getLogger(name)
    assert (logger.handlers, logger.propagate) == ([], True)
