"""`manage.py first_users`: a clinician and an administrator for an empty site."""

from typing import Any

from django.core.management.base import BaseCommand

from diagnoses.services.accounts import create_first_users


class Command(BaseCommand):
    """Prints names and random passwords, once; does nothing where there are users."""

    help = "Make a clinician and an administrator with random passwords, where there is no user yet."

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = create_first_users()
        for account in accounts:
            self.stdout.write(f"{account.name}  {account.password}")
        if not accounts:
            self.stderr.write("There are users already; nothing was made.")
