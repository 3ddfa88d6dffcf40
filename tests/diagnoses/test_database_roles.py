"""The database's roles: what the application cannot do, and what the readers of the audit cannot see."""

import pytest
from django.conf import LazySettings
from django.db import DatabaseError, connection, transaction

from diagnoses.selectors.database import PROOF_TABLES, append_only_tables, audit_tables
from diagnoses.services.database_roles import AUDIT_READER, RolesError, make_roles

APPLICATION = "cxr_tests_application"
PASSWORD = "a password for tests alone"
NO_RIGHT = ("permission denied", "must be owner", "must be superuser")


@pytest.fixture(autouse=True)
def _roles(db: None, settings: LazySettings) -> None:
    settings.CXR_DATABASE_HAS_OWNER = True
    settings.CXR_APPLICATION_ROLE = (APPLICATION, PASSWORD)
    settings.CXR_AUDIT_READER_PASSWORD = "another one for tests alone"
    make_roles()


def attempt(role: str, statement: str) -> None:
    """Run it as this role. Raises DatabaseError."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {role}")
        cursor.execute(statement)


def is_refused(role: str, statement: str) -> bool:
    """Whether the role lacks the right; any other error is the test's own."""
    try:
        attempt(role, statement)
    except DatabaseError as error:
        if any(words in str(error) for words in NO_RIGHT):
            return True
        raise
    return False


def test_every_table_on_record_is_found_by_its_trigger() -> None:
    assert set(append_only_tables()) >= {
        "diagnoses_auditevent",
        "diagnoses_jobtransition",
        "diagnoses_reading",
        "diagnoses_modelchange",
        "diagnoses_pausechange",
    }
    assert "diagnoses_auditevent" in audit_tables()
    assert "diagnoses_reading" not in audit_tables()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET {column} = {column}",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "DROP TABLE {}",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "ALTER TABLE {} DISABLE TRIGGER refuse_row_change",
        "DROP TRIGGER refuse_row_change ON {}",
        "ALTER TABLE {} ADD COLUMN more int",
        "CREATE TRIGGER mine BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION diagnoses_refuse_change()",
        "CREATE RULE mine AS ON INSERT TO {} DO INSTEAD NOTHING",
    ],
)
def test_the_application_can_change_nothing_that_is_on_record(statement: str) -> None:
    for table in append_only_tables():
        column = connection.introspection.get_primary_key_column(connection.cursor(), table) or "id"
        assert is_refused(APPLICATION, statement.format(table, column=column)), table


def test_the_application_may_empty_a_signed_text_and_change_nothing_else_of_it() -> None:
    attempt(APPLICATION, "UPDATE diagnoses_reading SET text = text WHERE false")
    for column in ("finding", "reader_name", "signed_at", "image_id"):
        assert is_refused(APPLICATION, f"UPDATE diagnoses_reading SET {column} = {column} WHERE false"), column


def test_the_application_cannot_write_what_proves_the_audit_whole() -> None:
    for table in PROOF_TABLES:
        for statement in ("INSERT INTO {} DEFAULT VALUES", "DELETE FROM {}", "TRUNCATE {}"):
            assert is_refused(APPLICATION, statement.format(table)), (table, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE diagnoses_study CASCADE",
        "DROP TABLE diagnoses_study CASCADE",
        "CREATE TABLE mine (id int)",
        "CREATE TEMP TABLE mine (id int)",
        "CREATE ROLE mine",
        "SET session_replication_role = replica",
        "CREATE OR REPLACE FUNCTION diagnoses_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "DELETE FROM django_migrations",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY diagnoses_study TO PROGRAM 'cat'",
        "SELECT rolpassword FROM pg_authid",
        f"ALTER ROLE {APPLICATION} SUPERUSER",
        f"GRANT pg_read_all_data TO {APPLICATION}",
    ],
)
def test_the_application_cannot_get_beyond_its_rows(statement: str) -> None:
    assert is_refused(APPLICATION, statement)


def test_the_application_does_its_work() -> None:
    attempt(
        APPLICATION,
        "INSERT INTO diagnoses_auditevent (action, actor_name, actor_roles, address, object_type, "
        "object_id, detail) VALUES ('sign_in', '', '', '', '', '', '{}')",
    )
    attempt(APPLICATION, "SELECT count(*) FROM diagnoses_auditevent")
    attempt(APPLICATION, "UPDATE diagnoses_study SET urgent = urgent")
    attempt(APPLICATION, "DELETE FROM django_session")
    attempt(APPLICATION, "SELECT pg_notify('cxr_study', ''), pg_try_advisory_xact_lock(1)")


def test_a_later_migrations_table_is_the_applications_to_work_with() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE later (id bigserial PRIMARY KEY, word text)")
    attempt(APPLICATION, "INSERT INTO later (word) VALUES ('x')")
    attempt(APPLICATION, "DELETE FROM later")
    assert is_refused(APPLICATION, "TRUNCATE later")
    assert is_refused(AUDIT_READER, "SELECT FROM later")


def test_a_reader_of_the_audit_reads_it_and_nothing_else() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
        )
        tables = {name for (name,) in cursor.fetchall()}
    for table in audit_tables():
        attempt(AUDIT_READER, f"SELECT count(*) FROM {table}")
        assert is_refused(AUDIT_READER, f"DELETE FROM {table}")
    open_to_it = {table for table in tables if not is_refused(AUDIT_READER, f"SELECT FROM {table}")}
    assert open_to_it == set(audit_tables())
    assert is_refused(AUDIT_READER, "INSERT INTO diagnoses_auditevent (action) VALUES ('sign_in')")


def test_a_right_that_was_given_by_hand_is_taken_back() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT ALL ON diagnoses_auditevent TO {APPLICATION}")
        cursor.execute(f"ALTER ROLE {APPLICATION} CREATEDB")
    assert make_roles() == make_roles()
    assert is_refused(APPLICATION, "TRUNCATE diagnoses_auditevent")
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolcreatedb, rolsuper FROM pg_roles WHERE rolname = %s", [APPLICATION])
        assert cursor.fetchone() == (False, False)


def test_passwords_are_kept_as_scram_and_a_reader_without_one_cannot_sign_in(settings: LazySettings) -> None:
    statement = "SELECT rolpassword, rolcanlogin FROM pg_authid WHERE rolname = %s"
    with connection.cursor() as cursor:
        for role in (APPLICATION, AUDIT_READER):
            cursor.execute(statement, [role])
            password, may_sign_in = cursor.fetchone()
            assert password.startswith("SCRAM-SHA-256$")
            assert may_sign_in
        settings.CXR_AUDIT_READER_PASSWORD = None
        make_roles()
        cursor.execute(statement, [AUDIT_READER])
        assert cursor.fetchone() == (None, False)


def test_without_an_owner_of_its_own_the_command_says_what_to_set(settings: LazySettings) -> None:
    settings.CXR_DATABASE_HAS_OWNER = False
    with pytest.raises(RolesError, match="DATABASE_OWNER_URL"):
        make_roles()


@pytest.mark.parametrize("role", [("postgres", "x"), (AUDIT_READER, "x"), ("cxr", ""), ("", "")])
def test_an_application_that_would_be_another_role_is_refused(settings: LazySettings, role: tuple[str, str]) -> None:
    settings.CXR_APPLICATION_ROLE = role
    with pytest.raises(RolesError, match="DATABASE_URL"):
        make_roles()
