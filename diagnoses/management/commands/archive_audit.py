"""`manage.py archive_audit`: writes months of the audit that are old enough to signed files, and takes them out."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from diagnoses import audit
from diagnoses.services.anchoring import NoKeyError
from diagnoses.services.archiving import ArchiveError, archive_month, months_due


class Command(BaseCommand):
    """Runs in the name of the role that owns the tables: the site's own may not take anything out."""

    help = "Archive whole months of the audit that are older than CXR_AUDIT_YEARS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--folder", type=Path, default=settings.CXR_AUDIT_ARCHIVES, help="where the files go")

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        months = months_due()
        if not months:
            self.stdout.write(f"No month is older than {settings.CXR_AUDIT_YEARS} years.")
        for month in months:
            try:
                archive = archive_month(month=month, folder=folder, actor=audit.Actor(None, "archive_audit"))
            except (ArchiveError, NoKeyError, OSError) as error:
                raise CommandError(f"{month:%Y-%m} was not archived, and is where it was. {error}") from error
            said = f"{archive.events} events in {archive.name}" if archive else "it has no events"
            self.stdout.write(f"{month:%Y-%m}: {said}")
