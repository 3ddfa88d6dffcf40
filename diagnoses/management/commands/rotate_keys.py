"""`manage.py rotate_keys`: seals all patients' keys with the newest key of CXR_DATA_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from diagnoses.audit import Actor
from diagnoses.sealing import SealError, newest_version
from diagnoses.services.key_rotation import rotate_keys


class Command(BaseCommand):
    """May be cut short and called again. The older keys may go from CXR_DATA_KEYS once it has ended."""

    help = "Seal all patients' keys with the site's newest key."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            rotated = rotate_keys(actor=Actor(None, "terminal"))
        except SealError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{rotated} patients' keys are sealed with version {newest_version()} now.")
