"""`manage.py restore FOLDER --keys-from FOLDER`: a backup into an empty system; `make restore` calls it."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from diagnoses.backup.errors import BackupError
from diagnoses.backup.restoring import record_restore, restore_backup
from diagnoses.services.database_roles import make_roles
from diagnoses.services.erasing import erase_again


class Command(BaseCommand):
    """Verifies everything first. A restore that fails leaves the system empty."""

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
            raise CommandError(f"Nothing was restored: {error}") from error
        self.stdout.write("Bringing the tables up to this version")
        call_command("migrate", interactive=False, verbosity=0)
        if settings.CXR_DATABASE_HAS_OWNER:
            make_roles()
        erase_again()
        record_restore(restored)
        if restored.without_key:
            self.stdout.write(f"{restored.without_key} patients are not in the newer keys: they stay erased.")
        self.stdout.write(f"Restored what was there at {restored.main.made_at.isoformat(timespec='seconds')}.")
