"""`manage.py backup`: the database and the files in one folder, the keys in another; `make backup` calls it."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from diagnoses.backup.errors import BackupError
from diagnoses.backup.making import make_backup


class Command(BaseCommand):
    """The site may run meanwhile. Exit status 0 only where the backup is whole."""

    help = "Make a backup: what is in it is of one moment, verified and signed (docs/backup.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        var = Path(settings.CXR_VAR_DIR)
        parser.add_argument("--to", type=Path, default=var / "backups", help="where backups lie")
        parser.add_argument("--keys-to", type=Path, default=var / "backup_keys", help="where the keys of them lie")

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)
        try:
            made = make_backup(to=options["to"], keys_to=options["keys_to"], say=self.stdout.write)
        except (BackupError, DatabaseError, OSError) as error:
            raise CommandError(f"No backup was made: {error}") from error
        megabytes = made.copied_bytes / 1024**2
        self.stdout.write(f"{made.files} files, of which {made.copied} were new ({megabytes:.1f} MB).")
        self.stdout.write(f"Backup: {made.folder}")
        self.stdout.write(f"Keys, to be kept elsewhere: {made.keys}")
