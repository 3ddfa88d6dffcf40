"""Notices of changes for tests, whose own transactions never commit and so send none."""

import uuid
from contextlib import closing
from typing import Any

import psycopg2
from django.db import connection

from diagnoses import notices


def send_notice(study_id: uuid.UUID) -> None:
    """As a commit elsewhere sends it."""
    rows_elsewhere("SELECT pg_notify('cxr_study', %s)", str(study_id))


def cut_the_listener() -> None:
    """End the connection of this process that hears notices."""
    statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
    assert rows_elsewhere(statement, notices.APPLICATION) == [(True,)]


def rows_elsewhere(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows that a statement gives in a transaction of its own."""
    database = psycopg2.connect(**connection.get_connection_params())
    with closing(database), database, database.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
