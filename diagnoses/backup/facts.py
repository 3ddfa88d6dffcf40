"""What a database holds at one moment, for the manifest and to be held against it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from typing import Any

from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from psycopg2.sql import SQL, Identifier

from diagnoses.selectors.database import all_tables, audit_tables

PATIENTS = "diagnoses_patient"
_EXPORTS = "diagnoses_export"
"""Their files are copies that anybody may have packed anew, and that erasing a patient has to reach."""
_TOKENS = "diagnoses_apitoken"
"""One that was revoked since the backup would open the API again."""
_LAST = """
SELECT encode(sha256(convert_to(to_jsonb(t)::text, 'UTF8')), 'hex') FROM {} t ORDER BY {} DESC LIMIT 1
"""
_KEY = """
SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indisprimary AND i.indrelid = %s::regclass
"""


@contextmanager
def moment() -> Iterator[tuple[str, datetime]]:
    """All that is asked within is answered as of one moment: the snapshot's name for others, and its time."""
    with transaction.atomic():
        _one("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        _one("SET LOCAL statement_timeout = 0")
        _one("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield _one("SELECT pg_export_snapshot(), now()")


def counts(tables: list[str]) -> dict[str, int]:
    """The rows of each of these tables."""
    return {table: _one(SQL("SELECT count(*) FROM {}").format(Identifier(table)))[0] for table in tables}


def left_out() -> list[str]:
    """The tables whose rows are in no backup: what opens the site, or cases, to whoever finds a copy of it."""
    return [table for table in all_tables() if table.endswith("session") or table in (_TOKENS, _EXPORTS)]


def audit_heads() -> dict[str, str]:
    """The hash of the last row of each table of the audit."""
    heads = {}
    for table in audit_tables():
        [key] = _one(_KEY, table)
        row = _one(SQL(_LAST).format(Identifier(table), Identifier(key)))
        if row:
            heads[table] = row[0]
    return heads


def migrations() -> list[tuple[str, str]]:
    """Those that this database has had."""
    return sorted(MigrationLoader(connection).applied_migrations)


def known_migrations() -> set[tuple[str, str]]:
    """Those that this installation knows."""
    return set(MigrationLoader(connection).disk_migrations)


def versions() -> dict[str, str]:
    """Of what the backup was made with."""
    [server] = _one("SHOW server_version")
    return {"PostgreSQL": server, "Django": version("django"), "Python": sys.version.split()[0]}


def _one(statement: Any, *values: str) -> Any:
    """The first row, or nothing where the statement gives none."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchone() if cursor.description else None
