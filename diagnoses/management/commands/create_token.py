"""`manage.py create_token USER`: a token for the API."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from diagnoses.services.accounts import create_token


class Command(BaseCommand):
    """Prints the user's token, and nothing else."""

    help = "Print a user's API token, made where there is none."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the account's name")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['user']!r}.")
        self.stdout.write(create_token(user=user))
