"""Old months go to signed files and only then out of the database; the chain stays whole, and verifiable."""

import gzip
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from diagnoses.audit import user_actor
from diagnoses.models import AuditArchive, AuditEvent, AuditLink
from diagnoses.models.audit import AuditAction
from diagnoses.services import anchoring, archiving
from tests.diagnoses.chain import put_on_record, sealed, tamper
from tests.diagnoses.factory import last_event
from tests.diagnoses.test_audit_chain import KEY

OLD = date(2015, 3, 1)


@pytest.fixture
def clinician(db: None) -> User:
    """Somebody without a role, whose coming is not on record: events are counted here."""
    return User.objects.create(username="clinician")


@pytest.fixture
def folder(settings: LazySettings, tmp_path: Path, clinician: User) -> Path:
    """A site with two events of 2015 and three of today, and the folder that archives go to."""
    settings.CXR_AUDIT_KEY = KEY
    settings.CXR_AUDIT_ANCHORS = tmp_path / "anchors.jsonl"
    settings.CXR_AUDIT_ARCHIVES = tmp_path / "archives"
    with connection.cursor() as cursor:
        cursor.execute("SELECT diagnoses_make_audit_month(%s)", [OLD])
    for day in (2, 31):
        AuditEvent.objects.create(
            at=datetime(2015, 3, day, 23, 59, tzinfo=UTC), action=AuditAction.SIGN_IN, actor_name="Nguyễn", detail={}
        )
    sealed()
    put_on_record(clinician, 3)
    anchoring.anchor()
    return tmp_path / "archives"


def archive() -> str:
    said = StringIO()
    call_command("archive_audit", stdout=said)
    sealed()
    return said.getvalue()


def verify(folder: Path) -> str:
    said = StringIO()
    call_command("verify_audit", "--archives", str(folder), stdout=said)
    sealed()
    return said.getvalue()


def test_an_old_month_goes_to_a_file_and_out_of_the_database(folder: Path) -> None:
    assert archive() == "2015-03: 2 events in audit-2015-03.jsonl.gz\n"
    assert not AuditEvent.objects.filter(at__year=2015).exists()
    assert AuditEvent.objects.filter(action=AuditAction.HISTORY_VIEWED).count() == 3
    with gzip.open(folder / "audit-2015-03.jsonl.gz", "rt", encoding="utf-8") as file:
        assert file.read().count("Nguyễn") == 2
    assert (folder / "audit-2015-03.jsonl.gz").stat().st_mode & 0o777 == 0o600
    kept = AuditArchive.objects.get()
    assert (kept.month, kept.events, kept.last_seq) == (OLD, 2, 2)
    assert last_event(AuditAction.AUDIT_ARCHIVED).detail["sha256"] == kept.sha256
    assert archive() == "No month is older than 6 years.\n"


def test_the_chain_is_whole_after_that_and_the_file_is_verified_along(folder: Path) -> None:
    archive()
    assert "2 of them archived" in verify(folder)
    assert AuditLink.objects.count() == 7, "five, the archive, and what was verified"


def test_the_month_that_says_of_another_that_it_was_archived_may_be_archived_too(
    folder: Path, clinician: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = datetime(2016, 2, 9, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT diagnoses_make_audit_month(%s)", [later.date()])

    def record_then(action: AuditAction, *_: object, **detail: object) -> None:
        AuditEvent.objects.create(at=later, action=action, actor_name="archive_audit", detail=detail)

    with monkeypatch.context() as then:
        then.setattr("diagnoses.audit.record", record_then)
        archiving.archive_month(month=OLD, folder=folder, actor=user_actor(clinician))
    sealed()
    tamper(f"UPDATE diagnoses_auditarchive SET archived_at = '{later}'")
    archive()
    assert AuditArchive.objects.count() == 2
    assert "The audit is what was put on record." in verify(folder)


def test_an_archive_that_was_changed_is_found(folder: Path) -> None:
    archive()
    path = folder / "audit-2015-03.jsonl.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"sign_in", b"sign_up")))
    with pytest.raises(CommandError, match="archive 1"):
        verify(folder)


def test_a_month_that_somebody_only_says_was_archived_is_found(folder: Path) -> None:
    tamper(
        "DELETE FROM diagnoses_auditevent WHERE at < '2016-01-01'",
        "INSERT INTO diagnoses_auditarchive (month, name, events, last_seq, last_hash, sha256, signature) "
        "VALUES ('2015-03-01', 'audit-2015-03.jsonl.gz', 2, 2, '', 'x', '')",
    )
    with pytest.raises(CommandError, match="archive"):
        verify(folder)


FORGED = (
    "DELETE FROM diagnoses_auditevent WHERE at < '2016-01-01'",
    "INSERT INTO diagnoses_auditarchive (month, name, events, last_seq, last_hash, sha256, signature) "
    "SELECT '2015-03-01', 'audit-2015-03.jsonl.gz', 2, 2, encode(hash, 'hex'), 'x', repeat('0', 64) "
    "FROM diagnoses_auditlink WHERE seq = 2",
    "INSERT INTO diagnoses_auditevent (at, action, actor_name, actor_roles, address, object_type, object_id, detail) "
    "VALUES (now(), 'audit_archived', 'archive_audit', '', '', '', '', '{\"sha256\": \"x\"}')",
)


def test_an_owner_who_deletes_a_month_and_puts_on_record_that_it_was_archived_is_found_without_any_file(
    folder: Path,
) -> None:
    with connection.cursor() as cursor:
        for statement in FORGED[1:]:
            cursor.execute(statement)  # with its triggers, so that the event is sealed as any other
    tamper(FORGED[0])
    said = StringIO()
    with pytest.raises(CommandError, match="archive 1, deleted 2"):
        call_command("verify_audit", stdout=said)
    assert "audit-2015-03.jsonl.gz is said to hold 2015-03, but that is not signed with this key" in said.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        "month = '2015-04-01'",
        "events = 1",
        "last_seq = 1",
        "name = 'audit-2015-04.jsonl.gz'",
        "sha256 = repeat('0', 64)",
    ],
)
def test_what_is_kept_of_an_archive_is_held_against_its_signature_without_its_file(folder: Path, change: str) -> None:
    archive()
    tamper(f"UPDATE diagnoses_auditarchive SET {change}")
    with pytest.raises(CommandError, match=r"archive [12], deleted 2"):
        call_command("verify_audit", stdout=StringIO())


def test_a_signed_archive_covers_only_the_events_that_went_into_it(folder: Path) -> None:
    archive()
    with connection.cursor() as cursor:
        cursor.execute("SELECT diagnoses_make_audit_month(%s)", [OLD])
    late = datetime(2015, 3, 9, tzinfo=UTC)
    AuditEvent.objects.create(at=late, action=AuditAction.SIGN_IN, actor_name="late", detail={})
    sealed()
    verify(folder)
    tamper("DELETE FROM diagnoses_auditevent WHERE at < '2016-01-01'")
    with pytest.raises(CommandError, match="archive 1"):
        call_command("verify_audit", stdout=StringIO())


def test_what_was_not_looked_at_is_said(folder: Path) -> None:
    archive()
    said = StringIO()
    call_command("verify_audit", stdout=said)
    assert "Archives that are signed: 1; their files were not looked at (--archives)." in said.getvalue()


def test_what_was_written_wrongly_leaves_the_month_where_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "check_archive", lambda *_: ["it is short"])
    with pytest.raises(CommandError, match="was not archived, and is where it was"):
        archive()
    assert AuditEvent.objects.filter(at__year=2015).count() == 2
    assert not AuditArchive.objects.exists()


def test_a_month_that_was_tampered_with_is_not_taken_out(folder: Path) -> None:
    tamper("UPDATE diagnoses_auditevent SET actor_name = 'x' WHERE at < '2016-01-01'")
    with pytest.raises(CommandError, match="is not what was put on record"):
        archive()
    assert AuditEvent.objects.filter(at__year=2015).count() == 2


def test_less_than_six_years_is_not_old_enough(folder: Path, settings: LazySettings) -> None:
    settings.CXR_AUDIT_YEARS = 100
    assert archive() == "No month is older than 100 years.\n"
