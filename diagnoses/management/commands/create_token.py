"""`manage.py create_token USER`: a token for the API."""

import argparse
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from diagnoses import audit
from diagnoses.models.token import Scope
from diagnoses.services.tokens import MOST_DAYS, USUAL_DAYS, create_token


class Command(BaseCommand):
    """Prints a new token of the user's, and nothing else."""

    help = "Print a new API token of a user. It is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the account's name")
        parser.add_argument(
            "--scopes", nargs="+", type=Scope, choices=list(Scope), default=list(Scope), help="what it opens (all)"
        )
        parser.add_argument(
            "--days", type=_days, default=USUAL_DAYS, help=f"how long, {MOST_DAYS} at most (%(default)s)"
        )
        parser.add_argument("--name", default="command line", help="what it is for (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['user']!r}.")
        name, scopes, days = options["name"].strip()[:64], options["scopes"], options["days"]
        actor = audit.Actor(None, "create_token")
        self.stdout.write(create_token(actor=actor, user=user, name=name, scopes=scopes, days=days).secret)


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"give a number of days from 1 to {MOST_DAYS}")
    return int(text)
