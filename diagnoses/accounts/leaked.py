"""Passwords that stand in a list of leaked ones, which the operator keeps in a file of this machine.

It is that of Pwned Passwords, "ordered by hash": in each line a password's SHA-1, 40 hexadecimal digits, perhaps with a
colon and how often it was seen. It is far too long to be read in, so it is searched where it lies, by halves.
"""

import logging
import os
import re
from hashlib import sha1
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

_LINE = re.compile(rb"([0-9A-Fa-f]{40})(:[0-9]+)?\r?\n?")
_LONGEST_LINE = 64
"""Bytes."""
_SAMPLES = 64

logger = logging.getLogger(__name__)


class ListError(ValueError):
    """The file is no such list; the text says why."""


def check_list(path: Path) -> None:
    """Look at some lines from all over the file. Raises ListError, and OSError where it cannot be read."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        found = [_digest_from(file, size * number // _SAMPLES) for number in range(_SAMPLES)]
    digests = [digest for digest in found if digest]
    if not digests:
        raise ListError("it is empty")
    if digests != sorted(digests):
        raise ListError("its lines are not sorted by their SHA-1")


def is_leaked(password: str, path: Path) -> bool:
    """Whether the list names this password. Raises ListError where a line on the way is none, and OSError."""
    # The list's choice of a hash: nothing is kept or trusted by it.
    wanted = sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
    with path.open("rb") as file:
        low, high = 0, file.seek(0, os.SEEK_END)
        while low < high:
            middle = (low + high) // 2
            digest = _digest_from(file, middle)
            if digest and digest < wanted:
                low = middle + 1
            else:
                high = middle
        return _digest_from(file, low) == wanted


def _digest_from(file: BinaryIO, offset: int) -> bytes:
    """The digest in the first line that begins here or later; empty where none does."""
    file.seek(max(offset - 1, 0))
    if offset:
        file.readline(_LONGEST_LINE)  # to its end, and nothing more where the byte before is one
    line = file.readline(_LONGEST_LINE)
    if not line:
        return b""
    if not (match := _LINE.fullmatch(line)):
        raise ListError("a line of it is not a SHA-1 in 40 hexadecimal digits, with a colon and a count or without")
    return match[1].upper()


class LeakedPasswordValidator:
    """None that the list names, where the site has one (`CXR_LEAKED_PASSWORDS`)."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Raise ValidationError for one that leaked, and for any while the list cannot be read."""
        path = settings.CXR_LEAKED_PASSWORDS
        if path is None:
            return
        try:
            leaked = is_leaked(password, path)
        except (OSError, ListError) as error:
            logger.exception("The list of leaked passwords cannot be read")
            raise ValidationError(
                _("No password can be set now: the site's list of leaked ones cannot be read. Tell whoever runs it."),
                code="password_not_checked",
            ) from error
        if leaked:
            raise ValidationError(
                _("This password stands in a list of leaked ones, which is tried first. Take another."),
                code="password_leaked",
            )

    def get_help_text(self) -> str:
        """For a form."""
        return _("None that has leaked elsewhere, where the site has a list of those.")
