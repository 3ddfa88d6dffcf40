"""A helper like the product's, whose children say so where they want to load what was not loaded before them.

They can open no file, so that to a file that needs it a whole picture would be a damaged one.
"""

import sys
from collections.abc import Callable
from typing import Any

from diagnoses.imaging.confined import CALLS, Call, Said, main

_watched = False
_late: list[str] = []


class LateImportError(BaseException):
    """Something to be loaded in `warm_up`."""


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    # All encodings that there are were looked up before; others a file may name as it likes.
    if _watched and event == "import" and not str(arguments[0]).startswith("encodings."):
        _late.append(str(arguments[0]))


def _watching(call: Callable[..., Said]) -> Call:
    def watched(*payloads: bytes, **arguments: Any) -> Said:
        global _watched  # noqa: PLW0603 - the process is this call's
        _watched = True
        try:
            return call(*payloads, **arguments)
        finally:
            if _late:
                raise LateImportError(", ".join(_late))

    return watched


if __name__ == "__main__":
    sys.addaudithook(_hear)
    main({name: _watching(call) for name, call in CALLS.items()})
