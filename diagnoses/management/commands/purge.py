"""`manage.py purge`: forgets whose the studies are that the site has kept for long enough."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from diagnoses.audit import Actor
from diagnoses.services.erasing import FilesLeftError, purge_studies


class Command(BaseCommand):
    """What the scheduler does each day where CXR_RETENTION_DAYS is set."""

    help = "Erase identifiers and pictures of studies that are older than CXR_RETENTION_DAYS, or than --days."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=settings.CXR_RETENTION_DAYS, help="keep so many")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["days"] is None or options["days"] < 1:
            raise CommandError("Say how long to keep studies: set CXR_RETENTION_DAYS, or give --days, one at least.")
        try:
            purged = purge_studies(actor=Actor(None, "terminal"), days=options["days"])
        except FilesLeftError as error:
            raise CommandError(f"Not all is purged: {error} Purge again for the rest.") from error
        self.stdout.write(f"{purged} studies were purged.")
