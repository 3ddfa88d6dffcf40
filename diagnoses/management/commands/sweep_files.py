"""`manage.py sweep_files`: removes files that no row speaks of, and names rows whose file is missing."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from diagnoses.selectors.files import images_without_file
from diagnoses.services.sweeping import sweep_orphans, sweep_quarantine


class Command(BaseCommand):
    """For who wants to see what the scheduler does by itself. Exit status 1 where images have lost their file."""

    help = "Remove files that a crash left without a row, and say which images have lost their file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would be removed, and remove nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            orphans = sweep_orphans(dry_run=options["dry_run"])
            if not options["dry_run"]:
                sweep_quarantine()
            without_file = images_without_file()
        except (DatabaseError, OSError) as error:
            raise CommandError(f"Not all was looked at: {error}") from error
        did = "Would remove" if options["dry_run"] else "Removed"
        for name in orphans:
            self.stdout.write(f"{did} {name}")
        self.stdout.write(f"{did} {len(orphans)} files that no row speaks of.")
        if without_file:
            raise CommandError(f"{len(without_file)} images have no file in storage: {', '.join(without_file)}")
