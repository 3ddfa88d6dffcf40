"""What the database says of its own tables."""

from django.db import connection

_APPEND_ONLY = """
SELECT DISTINCT c.relname::text FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace
AND (t.tgname = 'refuse_row_change' OR p.proname = 'diagnoses_refuse_change') ORDER BY 1
"""
_TABLES = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"


PROOF_TABLES = ("diagnoses_auditlink", "diagnoses_auditpending", "diagnoses_auditarchive")
"""What proves the audit whole: written by the database's own functions and by its owner, and by nobody else."""


def append_only_tables() -> list[str]:
    """The tables on which a trigger refuses changes: what is on record."""
    return _names(_APPEND_ONLY)


def audit_tables() -> list[str]:
    """The audit: those of them that hold who did and saw what, and what proves it whole."""
    return [name for name in append_only_tables() if name.startswith("diagnoses_audit")]


def all_tables() -> list[str]:
    """Every table of the product."""
    return _names(_TABLES)


def _names(statement: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [name for (name,) in cursor.fetchall()]
