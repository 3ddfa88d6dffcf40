"""`manage.py restore FOLDER --keys-from FOLDER`: a backup into an empty system; `make restore` calls it."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from diagnoses.backup.errors import BackupError
from diagnoses.backup.restoring import Restored, record_restore, restore_backup
from diagnoses.services.database_roles import make_roles
from diagnoses.services.erasing import erase_again

NOTHING_RESTORED = 3
"""The exit status by which `make restore` knows that the system is as empty as it was."""


class Command(BaseCommand):
    """Verifies everything first. A restore that fails leaves the system empty, or with all data in and resumable."""

    help = "Restore a backup into an empty system that does not run (docs/backup.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="a backup, the folder that is named by its time")
        parser.add_argument("--keys-from", type=Path, required=True, help="the newest keys part")

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)
        folder, keys = options["folder"].resolve(), options["keys_from"].resolve()
        try:
            restored = restore_backup(folder=folder, keys=keys, say=self.stdout.write)
        except (BackupError, DatabaseError, OSError) as error:
            raise CommandError(f"Nothing was restored: {error}", returncode=NOTHING_RESTORED) from error
        try:
            self._finish(restored)
        except Exception as error:
            raise CommandError(
                f"All data is in, but what follows stopped: {error}\nLeave data and keys as they are, mend what is "
                "wrong, and give the same command again: it goes on from there. Do not start the site before."
            ) from error
        if restored.without_key:
            self.stdout.write(f"{restored.without_key} patients are not in the newer keys: they stay erased.")
        self.stdout.write(f"Restored what was there at {restored.main.made_at.isoformat(timespec='seconds')}.")

    def _finish(self, restored: Restored) -> None:
        """All of it may be done twice."""
        self.stdout.write("Bringing the tables up to this version")
        call_command("migrate", interactive=False, verbosity=0)
        if settings.CXR_DATABASE_HAS_OWNER:
            make_roles()
        erase_again()
        record_restore(restored)
