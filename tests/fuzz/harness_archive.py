"""`python -m tests.fuzz.harness_archive FOLDER [OPTIONS]`: what the reader of ZIP archives makes of any bytes.

Anything but entries and their content, or an ImageError, ends it.
"""

import sys
import warnings
from contextlib import suppress
from io import BytesIO

import atheris

with atheris.instrument_imports(include=["diagnoses.imaging"]):
    from diagnoses.imaging.archive import Budget, entries_of, unpack
    from diagnoses.imaging.errors import ImageError


def try_one(data: bytes) -> None:
    """All that is done with an archive before its files are looked at, and no more unpacked than it may."""
    file = BytesIO(data)
    with suppress(ImageError):
        for entry in entries_of(file, Budget()):
            with suppress(ImageError):
                unpacked = sum(map(len, unpack(file, entry)))
                if unpacked > entry.unpacked_bytes:
                    raise AssertionError(f"{unpacked} bytes of an entry that says {entry.unpacked_bytes}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()
