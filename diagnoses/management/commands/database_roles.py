"""`manage.py database_roles`: the database's roles, each with the rights that it needs."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from diagnoses.services.database_roles import RolesError, make_roles


class Command(BaseCommand):
    """Run it as the tables' owner after each `migrate`. Doing it twice does no harm."""

    help = "Make or set right the roles of the application and of the audit's readers (docs/database.md)."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            roles = make_roles()
        except RolesError as error:
            raise CommandError(str(error)) from error
        kept = len(roles.append_only)
        self.stdout.write(f"{roles.owner} owns the tables, {roles.application} works with them ({kept} append-only).")
