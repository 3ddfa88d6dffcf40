"""`python -m tests.fuzz.harness_intake FOLDER [OPTIONS]`: what intake makes of any bytes, guided by coverage.

Anything but an answer or an ImageError ends it, with the input kept where libFuzzer's options say.
"""

import sys
import warnings
from contextlib import suppress

import atheris

with atheris.instrument_imports(include=["diagnoses.imaging", "pydicom"]):
    from diagnoses.imaging.dicom import check_start, facts_of
    from diagnoses.imaging.errors import ImageError
    from diagnoses.imaging.intake import inspect
    from diagnoses.imaging.kinds import kind_of
    from diagnoses.imaging.patient import patient_of

_MAX_BYTES = 10_000_000


def try_one(data: bytes) -> None:
    """All that is done with a file before its pixels are looked at."""
    kind_of(data)
    for look in (lambda: inspect(data, _MAX_BYTES), lambda: check_start(data), lambda: patient_of(data)):
        with suppress(ImageError):
            look()
    if kind_of(data) == "dicom":
        with suppress(ImageError):
            facts_of(data)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()
