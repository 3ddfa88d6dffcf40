"""The audit's chain in tests: what a commit would do, and a superuser who tampers."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.models import User
from django.db import connection

from diagnoses import audit
from diagnoses.models.audit import AuditAction
from diagnoses.services import anchoring


def sealed() -> None:
    """Do what the scheduler does each second."""
    anchoring.seal()


def put_on_record(user: User, count: int) -> None:
    for number in range(count):
        audit.record(AuditAction.HISTORY_VIEWED, audit.user_actor(user, "192.0.2.7"), found=number, words="Nguyễn")
    sealed()


@contextmanager
def without_triggers() -> Iterator[None]:
    """What only a superuser can do: no trigger of any table fires."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        yield
        cursor.execute("SET session_replication_role = origin")


def tamper(*statements: str) -> None:
    with without_triggers(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
