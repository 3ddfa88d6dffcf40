"""`make messages`: brings the catalogues up to date with the code, and says what is left to translate."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cxrsite.settings")
django.setup()

from tests.language.catalogues import catalogue_files, faults_of, read, renewed  # noqa: E402 - needs the settings
from tests.language.extraction import ROOT  # noqa: E402


def main() -> int:
    """Renew each file. The exit status is 1 as long as something is missing in one."""
    status = 0
    for path in catalogue_files():
        path.write_bytes(renewed(path))
        for fault in faults_of(read(path)):
            print(f"{path.relative_to(ROOT)}: {fault}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
