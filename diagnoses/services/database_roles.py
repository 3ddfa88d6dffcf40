"""The database's roles: who owns the tables, who works with them, who may read the audit and nothing else."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg2.extensions import encrypt_password
from psycopg2.sql import SQL, Composed, Identifier, Literal

from diagnoses.selectors.database import PROOF_TABLES, append_only_tables, audit_tables

AUDIT_READER = "cxr_audit_reader"
_NO_MORE = SQL("NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")
_MORE = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles"
_LOCK = 7_304_911_006


class RolesError(Exception):
    """The roles cannot be made; the text says what to do."""


@dataclass(frozen=True)
class Roles:
    """What was made, or found to be as it should."""

    owner: str
    application: str
    audit_reader: str
    append_only: list[str]


def make_roles() -> Roles:
    """Make the roles, or set those that are there right, as the tables' owner. Doing it again changes nothing."""
    application, password = settings.CXR_APPLICATION_ROLE
    owner = _check(application, password)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        _make_role(cursor, application, password)
        _make_role(cursor, AUDIT_READER, settings.CXR_AUDIT_READER_PASSWORD)
        append_only = append_only_tables()
        for statement in _statements(owner, application, append_only):
            cursor.execute(statement)
    return Roles(owner, application, AUDIT_READER, append_only)


def _check(application: str, password: str) -> str:
    if not settings.CXR_DATABASE_HAS_OWNER:
        raise RolesError(
            "Set DATABASE_OWNER_URL to the address for the role that owns the tables, and DATABASE_URL to the one for "
            "the role that the product shall work as; docs/database.md says how."
        )
    if not application or not password:
        raise RolesError("DATABASE_URL must name the application's role and its password.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        owner = str(cursor.fetchone()[0])
    if application in (owner, AUDIT_READER):
        raise RolesError(f"DATABASE_URL names {application}, which is another role than the application's.")
    return owner


def _make_role(cursor: CursorWrapper, name: str, password: str | None) -> None:
    """With a password as the server keeps it, not in clear: statements may be logged."""
    cursor.execute(f"{_MORE} WHERE rolname = %s", [name])
    role, found = Identifier(name), cursor.fetchone()
    if found is None:
        cursor.execute(SQL("CREATE ROLE {} NOINHERIT").format(role))
    elif found[0]:
        # A superuser alone may speak of some of these, and the owner need not be one.
        cursor.execute(SQL("ALTER ROLE {} {}").format(role, _NO_MORE))
    if password:
        verifier = encrypt_password(password, name, cursor.connection, "scram-sha-256")
        cursor.execute(SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, Literal(verifier)))
    else:
        cursor.execute(SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(role))


def _statements(owner: str, application: str, append_only: Iterable[str]) -> Iterable[Composed]:
    database = Identifier(str(connection.settings_dict["NAME"]))
    owner_, app, reader = Identifier(owner), Identifier(application), Identifier(AUDIT_READER)
    yield SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC, {}, {}").format(database, app, reader)
    yield SQL("GRANT CONNECT ON DATABASE {} TO {}, {}").format(database, app, reader)
    yield SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC, {}, {}").format(app, reader)
    yield SQL("GRANT USAGE ON SCHEMA public TO {}, {}").format(app, reader)
    yield SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {}, {}").format(app, reader)
    yield SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}").format(app)
    for table in append_only:
        yield SQL("REVOKE UPDATE, DELETE ON {} FROM {}").format(Identifier(table), app)
    # Whoever is erased must be so in signed texts, too; a trigger lets them be emptied and in no way changed.
    yield SQL("GRANT UPDATE (text) ON diagnoses_reading TO {}").format(app)
    for table in ("django_migrations", *PROOF_TABLES):
        yield SQL("REVOKE INSERT, UPDATE, DELETE ON {} FROM {}").format(Identifier(table), app)
    yield SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(app)
    for table in audit_tables():
        yield SQL("GRANT SELECT ON {} TO {}").format(Identifier(table), reader)
    yield SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(reader)
    # For what a migration makes before this runs again.
    default = SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA public GRANT").format(owner_)
    yield SQL("{} SELECT, INSERT, UPDATE, DELETE ON TABLES TO {}").format(default, app)
    yield SQL("{} USAGE, SELECT ON SEQUENCES TO {}").format(default, app)
