"""A line of the processes' logs: one event, one line, with a time that says its zone."""

import logging
import re
from datetime import datetime

_LINK = re.compile(r"(invitation(?:/|%2F))[\w-]+", re.IGNORECASE)
"""The address of an invitation, whose last part opens an account."""


class LineFormatter(logging.Formatter):
    """ISO 8601 with milliseconds and offset. Line ends and other signs of control in a message are written out.

    Whoever reads a log takes nothing from it to sign in with: addresses of invitations come without their secrets.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line, and a traceback where there is one."""
        return _LINK.sub(r"\1...", super().format(record))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - its name there
        """The local time, and by how much it differs from UTC."""
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - its name there
        """The line; tracebacks, whose lines are ours, follow it as they are."""
        line = super().formatMessage(record)
        return "".join(sign if sign.isprintable() or sign == "\t" else repr(sign)[1:-1] for sign in line)
