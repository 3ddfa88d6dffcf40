"""The audit's chain: sealed each second, and no tampering with it goes unseen."""

import json
import socket
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from diagnoses import audit
from diagnoses.management.commands import scheduler
from diagnoses.models import AuditEvent, AuditLink
from diagnoses.models.audit import AuditAction, Outcome
from diagnoses.selectors.audit_chain import FIELDS, stream_chain
from diagnoses.services import anchoring, verifying
from tests.diagnoses.chain import put_on_record, sealed, tamper
from tests.diagnoses.factory import last_event
from tests.threads import in_a_thread

KEY = "a key for the audit of tests, as long as a real one has to be"
EVENT, LINK = "diagnoses_auditevent", "diagnoses_auditlink"
THIRD = f"(SELECT event_id FROM {LINK} WHERE seq = 3)"
FOURTH = f"(SELECT event_id FROM {LINK} WHERE seq = 4)"
COLUMNS = ", ".join(name for name in FIELDS if name not in ("id", "at"))
SWAPPED = ", ".join(f"{name} = other.{name}" for name in FIELDS if name not in ("id", "at"))
TAMPERINGS = {
    "edit": [f"UPDATE {EVENT} SET actor_name = 'somebody' WHERE id = {THIRD}"],
    "delete in the middle": [f"DELETE FROM {EVENT} WHERE id = {THIRD}", f"DELETE FROM {LINK} WHERE seq = 3"],
    "delete of the tail": [
        f"DELETE FROM {EVENT} WHERE id IN (SELECT event_id FROM {LINK} WHERE seq > 8)",
        f"DELETE FROM {LINK} WHERE seq > 8",
    ],
    "insert": [
        f"INSERT INTO {EVENT} (at, {COLUMNS}) SELECT at, {COLUMNS} FROM {EVENT} WHERE id = {THIRD}",
    ],
    "truncate": [f"TRUNCATE {EVENT}", f"TRUNCATE {LINK}"],
    "swap of two rows": [
        f"UPDATE {EVENT} e SET {SWAPPED} FROM {EVENT} other "
        f"WHERE (e.id, other.id) IN (({THIRD}, {FOURTH}), ({FOURTH}, {THIRD}))"
    ],
}


@pytest.fixture
def clinician(db: None) -> User:
    """Somebody without a role, whose coming is not on record: events are counted here."""
    return User.objects.create(username="clinician")


@pytest.fixture(autouse=True)
def _audit_settings(settings: LazySettings, tmp_path: Path) -> None:
    settings.CXR_AUDIT_KEY = KEY
    settings.CXR_AUDIT_ANCHORS = tmp_path / "audit" / "anchors.jsonl"


@pytest.fixture
def chain(clinician: User) -> None:
    """Ten events, all in the chain, and its end anchored."""
    put_on_record(clinician, 10)
    anchoring.anchor()


def verified() -> tuple[bool, str]:
    """Whether the command finds all in order, and what it says."""
    said = StringIO()
    try:
        call_command("verify_audit", stdout=said)
    except CommandError as error:
        return False, said.getvalue() + str(error)
    return True, said.getvalue()


@pytest.mark.usefixtures("chain")
def test_an_untouched_record_is_found_to_be_what_was_put_on_record() -> None:
    is_clean, said = verified()
    assert is_clean, said
    assert "10 events verified, 0 of them archived; 1 anchors compared." in said
    event = last_event(AuditAction.AUDIT_VERIFIED)
    assert (event.outcome, event.detail) == (Outcome.SUCCESS, {"links": 10, "found": {}})


@pytest.mark.usefixtures("chain")
def test_every_tampering_of_a_superuser_is_found() -> None:
    found = 0
    for name, statements in TAMPERINGS.items():
        with transaction.atomic():
            tamper(*statements)
            is_clean, said = verified()
            assert not is_clean, name
            assert last_event(AuditAction.AUDIT_VERIFIED).outcome == Outcome.MAJOR_FAILURE
            found += 1
            transaction.set_rollback(True)
        is_clean, said = verified()
        sealed()
        assert is_clean, said
    print(f"{found} of {len(TAMPERINGS)} found")


@pytest.mark.usefixtures("chain")
@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (f"UPDATE {EVENT} SET at = at - interval '1 second' WHERE id = {THIRD}", "edited"),
        (f"UPDATE {EVENT} SET detail = '{{}}' WHERE id = {THIRD}", "edited"),
        (f"UPDATE {EVENT} SET study = gen_random_uuid() WHERE id = {THIRD}", "edited"),
        (f"DELETE FROM {EVENT} WHERE id = {THIRD}", "deleted"),
        (f"UPDATE {LINK} SET at = at - interval '9 years' WHERE seq = 3", "broken"),
        (f"UPDATE {LINK} SET hash = sha256(hash) WHERE seq = 10", "rewritten"),
        (f"INSERT INTO {LINK} SELECT 11, event_id, at, digest, hash FROM {LINK} WHERE seq = 10", "broken"),
    ],
)
def test_what_was_tampered_with_is_named(statement: str, words: str) -> None:
    tamper(statement)
    is_clean, said = verified()
    assert not is_clean
    assert words in said


@pytest.mark.usefixtures("chain")
def test_a_chain_that_was_made_anew_after_an_edit_does_not_fit_its_anchor(clinician: User) -> None:
    tamper(f"TRUNCATE {EVENT}", f"TRUNCATE {LINK}")
    put_on_record(clinician, 12)
    is_clean, said = verified()
    assert not is_clean
    assert "rewritten: link 10 has another hash" in said


def test_an_event_has_its_link_once_it_is_sealed_and_is_held_by_its_digest_until_then(clinician: User) -> None:
    audit.record(AuditAction.HISTORY_VIEWED, audit.user_actor(clinician))
    assert not AuditLink.objects.exists()
    assert verifying.verify(stream_chain(), [], {}).is_clean
    with transaction.atomic():
        tamper(f"UPDATE {EVENT} SET actor_name = 'somebody'")
        assert not verifying.verify(stream_chain(), [], {}).is_clean
        transaction.set_rollback(True)
    sealed()
    link = AuditLink.objects.get()
    event = AuditEvent.objects.get()
    assert (link.seq, link.event_id, link.at) == (1, event.pk, event.at)


def test_what_was_undone_leaves_no_link(clinician: User) -> None:
    with transaction.atomic():
        audit.record(AuditAction.HISTORY_VIEWED, audit.user_actor(clinician))
        transaction.set_rollback(True)
    put_on_record(clinician, 2)
    assert list(AuditLink.objects.values_list("seq", flat=True)) == [1, 2]


def test_the_database_hashes_what_python_hashes_whatever_the_time_zone(clinician: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'Asia/Kathmandu'")
    put_on_record(clinician, 2)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'America/Lima'")
    assert verified()[0]


@pytest.mark.usefixtures("clinician")
def test_the_columns_are_hashed_in_the_order_that_the_table_of_fields_has() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'diagnoses_audit_await'")
        [source] = cursor.fetchone() or ("",)
    places = [
        source.index(f"NEW.{name}::text" if f"NEW.{name}::text" in source else f"NEW.{name}") for name in FIELDS[2:]
    ]
    assert places == sorted(places)
    assert set(FIELDS) == {field.column for field in AuditEvent._meta.fields}


@pytest.mark.usefixtures("chain")
@pytest.mark.parametrize("statement", ["UPDATE {} SET seq = seq", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_database_refuses_to_change_a_link(statement: str) -> None:
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        cursor.execute(statement.format(LINK))


@pytest.mark.usefixtures("chain")
def test_the_chain_is_read_with_its_events_in_order() -> None:
    rows = list(stream_chain())
    assert [row.link.seq for row in rows if row.link] == list(range(1, 11))


def test_the_months_to_come_are_made_once_and_refuse_every_change(clinician: User) -> None:
    with connection.cursor() as cursor:
        month = f"diagnoses_auditevent_y{timezone.now():%Ym%m}"
        assert anchoring.make_months() == 0, "the migration made them"
        put_on_record(clinician, 1)
        for statement in (f"UPDATE {month} SET id = id", f"DELETE FROM {month}", f"TRUNCATE {month}"):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                cursor.execute(statement)


def test_what_came_while_its_month_was_missing_moves_there_unchanged(clinician: User) -> None:
    for year in (2041, 2042):
        AuditEvent.objects.create(at=datetime(year, 5, 9, tzinfo=UTC), action=AuditAction.SIGN_IN, actor_name="x")
    sealed()
    before: list[Any] = list(AuditEvent.objects.values())
    with connection.cursor() as cursor:
        cursor.execute("SELECT diagnoses_make_audit_month(%s)", [date(2041, 5, 9)])
        cursor.execute("SELECT count(*) FROM diagnoses_auditevent_y2041m05")
        assert cursor.fetchone() == (1,)
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute("DELETE FROM diagnoses_auditevent_default")
    assert list(AuditEvent.objects.values()) == before
    assert verified()[0]


@pytest.mark.usefixtures("chain")
def test_an_anchor_says_where_the_chain_ends_and_is_for_its_owner_alone(settings: LazySettings) -> None:
    path = settings.CXR_AUDIT_ANCHORS
    [line] = path.read_text().splitlines()
    link = AuditLink.objects.get(seq=10)
    assert (json.loads(line)["seq"], json.loads(line)["hash"]) == (10, bytes(link.hash).hex())
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("chain")
@pytest.mark.parametrize("change", ["edit", "removal", "another key"])
def test_a_changed_anchor_is_found(settings: LazySettings, clinician: User, change: str) -> None:
    put_on_record(clinician, 1)
    anchoring.anchor()
    path = settings.CXR_AUDIT_ANCHORS
    first, second = path.read_text().splitlines()
    if change == "edit":
        path.write_text(first.replace('"seq": 10', '"seq": 9') + "\n" + second + "\n")
    elif change == "removal":
        path.write_text(second + "\n")
    else:
        settings.CXR_AUDIT_KEY = KEY[::-1]
    is_clean, said = verified()
    assert not is_clean
    assert "of anchors.jsonl is not signed with this key" in said


def test_without_a_key_nothing_is_verified_and_the_words_say_what_to_do(settings: LazySettings, db: None) -> None:
    settings.CXR_AUDIT_KEY = None
    with pytest.raises(CommandError, match=r"nor archives\. CXR_AUDIT_KEY is missing: give"):
        call_command("verify_audit")


def test_the_scheduler_anchors_the_chain_though_the_months_could_not_be_made(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> int:
        raise DatabaseError("away")

    anchored: list[bool] = []
    monkeypatch.setattr(scheduler, "make_months", fail)
    monkeypatch.setattr(scheduler, "anchor", lambda: anchored.append(True))
    in_a_thread(scheduler._keep_audit)
    assert anchored == [True]
    assert "trying again later" in caplog.text


def test_the_scheduler_anchors_the_chain_though_its_connection_was_lost_before(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_the_connection() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            anchored.append(True)

    anchored: list[bool] = []
    monkeypatch.setattr(scheduler, "make_months", lose_the_connection)
    monkeypatch.setattr(scheduler, "anchor", ask)
    in_a_thread(scheduler._keep_audit)
    assert anchored == [True]


def test_the_scheduler_does_not_start_without_a_key(settings: LazySettings) -> None:
    settings.CXR_AUDIT_KEY = None
    with pytest.raises(CommandError, match="CXR_AUDIT_KEY is missing"):
        call_command("scheduler")


@pytest.mark.usefixtures("clinician")
def test_an_anchor_goes_to_the_systems_log_as_well(settings: LazySettings) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
        log.bind(("127.0.0.1", 0))
        log.settimeout(5)
        settings.CXR_AUDIT_SYSLOG = f"127.0.0.1:{log.getsockname()[1]}"
        made = anchoring.anchor()
        assert made.mac in log.recv(4096).decode()
