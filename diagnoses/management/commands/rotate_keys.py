"""`manage.py rotate_keys`: seals all patients' keys, and second factors' secrets, with the newest keys of the site."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from diagnoses.audit import Actor
from diagnoses.sealing import SealError, newest_version
from diagnoses.services.factor_rotation import rotate_factors
from diagnoses.services.key_rotation import rotate_keys


class Command(BaseCommand):
    """May be cut short and called again. The older keys may go from the settings once it has ended."""

    help = "Seal all patients' keys with the newest of CXR_DATA_KEYS, and second factors with CXR_SECRET_KEY."

    def handle(self, *args: Any, **options: Any) -> None:
        actor = Actor(None, "terminal")
        factors, lost = rotate_factors(actor=actor)
        self.stdout.write(f"{factors} apps' and recovery codes' secrets are sealed with CXR_SECRET_KEY now.")
        if lost:
            self.stderr.write(f"{lost} open with no key of this site. Bring the key back, or remove these factors.")
        try:
            rotated = rotate_keys(actor=actor)
        except SealError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{rotated} patients' keys are sealed with version {newest_version()} now.")
