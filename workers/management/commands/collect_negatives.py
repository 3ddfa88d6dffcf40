"""`manage.py collect_negatives`: pictures that are no chest radiographs, out of unpacked packages."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workers.training.collecting import collect


class Command(BaseCommand):
    """docs/negatives.md lists the packages and how to unpack them."""

    help = "Collect pictures that are no chest radiographs, for `train --negatives`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("packages", type=Path, help="folder with the unpacked packages")
        parser.add_argument("--out", type=Path, required=True, help="where a folder per kind goes; new or empty")

    def handle(self, *args: Any, **options: Any) -> None:
        out: Path = options["out"]
        if out.exists() and any(out.iterdir()):
            raise CommandError(f"{out} is not empty. Name a new folder, so that no older pictures are mixed in.")
        counts = collect(options["packages"], out)
        for kind, count in counts.items():
            self.stdout.write(f"{count:5} {kind}")
        missing = [kind for kind, count in counts.items() if not count]
        if missing:
            raise CommandError(
                f"Nothing was found for {', '.join(missing)}. docs/negatives.md lists the packages; unpack those that "
                f"are missing in {options['packages']} and collect again."
            )
