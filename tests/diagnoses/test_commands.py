"""The commands of the terminal, called as a person or a script calls them."""

import json
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import InterfaceError, connection
from django.utils import timezone

from diagnoses.management.commands import scheduler
from diagnoses.models import ApiToken, AuditEvent, Image, Job, ModelVersion, Study
from diagnoses.models.audit import AuditAction
from diagnoses.roles import Role
from diagnoses.selectors.tokens import find_token
from diagnoses.services.jobs import claim_jobs
from diagnoses.states import JobStatus
from tests.conftest import api_of, make_user
from tests.diagnoses.claiming import complete_job, fail_job
from tests.diagnoses.factory import PICTURE, last_event, outcome, stored_files
from tests.threads import in_a_thread, no_database


@pytest.fixture
def folder(tmp_path: Path, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to send from, on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "400")
    folder = tmp_path / "export"
    folder.mkdir()
    return folder


@pytest.fixture
def chest(folder: Path) -> Path:
    """One good radiograph."""
    (folder / "chest.png").write_bytes(PICTURE)
    return folder / "chest.png"


def send(*arguments: Any, **options: Any) -> tuple[int, str, str]:
    """The exit status of `submit`, and what it wrote to either stream."""
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("submit", *map(str, arguments), stdout=out, stderr=err, **options)
    return int(str(stopped.value.code or 0)), out.getvalue(), err.getvalue()


def reading_meanwhile(monkeypatch: pytest.MonkeyPatch, read: Callable[[], None]) -> None:
    """Where `submit --wait` would sleep, a worker works instead."""
    time = SimpleNamespace(sleep=lambda seconds: read())
    monkeypatch.setattr("diagnoses.management.commands.submit.time", time)


def test_a_file_is_sent_and_left_to_a_worker_that_is_not_there_yet(clinician: User, chest: Path) -> None:
    status, out, err = send(chest)
    assert (status, err) == (0, "")
    study = Study.objects.get()
    assert study.submitted_by == clinician
    assert "chest.png" in out
    assert "queued" in out
    assert f"Study {study.pk}" in out


def test_all_files_below_a_folder_are_sent_as_one_study(clinician: User, folder: Path, chest: Path) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "other.png").write_bytes(PICTURE)
    assert send(folder)[0] == 0
    assert Study.objects.count() == 1
    assert [image.filename for image in Image.objects.all()] == ["chest.png", "other.png"]


def test_the_json_is_that_of_the_api(clinician: User, chest: Path) -> None:
    status, out, err = send(chest, "--json", "--patient-id", "P-1", "--patient-birth-date", "2020-02-29")
    assert (status, err) == (0, "")
    said = json.loads(out)
    assert (said["patient_id"], said["patient_birth_date"]) == ("P-1", "2020-02-29")
    assert said == api_of(clinician).get(f"/api/v1/studies/{said['id']}/").json()


@pytest.mark.parametrize("flags", [[], ["--urgent"]])
def test_a_study_is_urgent_where_that_is_said(clinician: User, chest: Path, flags: list[str]) -> None:
    send(chest, *flags)
    assert Study.objects.get().urgent == bool(flags)


def test_a_bad_file_beside_a_good_one_is_exit_status_1(clinician: User, folder: Path, chest: Path) -> None:
    (folder / "letter.png").write_bytes(b"Dear colleague")
    status, out, _ = send(folder)
    assert status == 1
    assert "This is no PNG, JPEG or DICOM file" in out
    assert Image.objects.get().filename == "chest.png"


def test_nothing_taken_is_exit_status_2_with_each_reason(clinician: User, folder: Path) -> None:
    (folder / "empty.png").write_bytes(b"")
    (folder / "letter.png").write_bytes(b"Dear colleague")
    status, out, err = send(folder)
    assert (status, out) == (2, "")
    assert "empty.png: The file is empty." in err
    assert "letter.png: This is no PNG, JPEG or DICOM file" in err
    assert not Study.objects.exists()
    assert stored_files() == []


def test_nothing_taken_is_told_in_json_too(clinician: User, folder: Path) -> None:
    (folder / "empty.png").write_bytes(b"")
    status, out, _ = send(folder, "--json")
    said = json.loads(out)
    assert (status, said["id"]) == (2, None)
    assert [(image["status"], image["error"]["code"]) for image in said["images"]] == [("refused", "empty_file")]


def test_an_empty_folder_is_exit_status_2(clinician: User, folder: Path) -> None:
    with pytest.raises(CommandError, match="No file was sent") as error:
        call_command("submit", str(folder))
    assert error.value.returncode == 2


def test_too_many_files_are_exit_status_2(clinician: User, chest: Path, settings: LazySettings) -> None:
    settings.CXR_MAX_FILES = 1
    with pytest.raises(CommandError, match="2 files were sent; at most 1") as error:
        call_command("submit", str(chest), str(chest))
    assert error.value.returncode == 2


def test_a_path_that_does_not_exist_is_named_and_nothing_is_sent(clinician: User, folder: Path, chest: Path) -> None:
    with pytest.raises(CommandError, match=r"no such file or folder: .*nowhere\.png"):
        call_command("submit", str(chest), str(folder / "nowhere.png"))
    assert not Study.objects.exists()


def test_waiting_ends_with_the_answers(
    clinician: User, folder: Path, chest: Path, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "other.png").write_bytes(PICTURE)

    def read_one() -> None:
        [claim] = claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1)
        complete_job(claim=claim, outcome=outcome())

    reading_meanwhile(monkeypatch, read_one)
    status, out, _ = send(folder, "--wait")
    assert status == 0
    assert out.count("Pneumonia") == 2
    assert out.count("93.1%") == 2
    assert set(Job.objects.values_list("status", flat=True)) == {JobStatus.DONE}


def test_waiting_gives_the_results_in_json(
    clinician: User, chest: Path, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> None:
        [claim] = claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1)
        complete_job(claim=claim, outcome=outcome())

    reading_meanwhile(monkeypatch, read)
    status, out, _ = send(chest, "--wait", "--json")
    [image] = json.loads(out)["images"]
    assert (status, image["status"], image["result"]["probability"]) == (0, "done", 0.9312)


def test_waiting_for_what_fails_is_exit_status_1(
    clinician: User, chest: Path, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> None:
        [claim] = claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1)
        fail_job(claim=claim, code="internal_error", message="The reading failed on the server.")

    reading_meanwhile(monkeypatch, read)
    status, out, _ = send(chest, "--wait")
    assert status == 1
    assert "The reading failed on the server." in out


@pytest.mark.parametrize("name", ["chest[ap].png", "[red]chest.png", "IMG[1].png"])
def test_a_files_name_is_shown_as_it_is(clinician: User, folder: Path, name: str) -> None:
    (folder / name).write_bytes(PICTURE)
    assert name in send(folder)[1]


def test_a_study_is_sent_in_the_name_that_was_given(clinician: User, outsider: User, chest: Path) -> None:
    send(chest, "--user", "outsider")
    assert Study.objects.get().submitted_by == outsider


def test_a_site_with_several_clinicians_has_to_be_told_which(clinician: User, outsider: User, chest: Path) -> None:
    with pytest.raises(CommandError, match="Say in whose name with --user"):
        call_command("submit", str(chest))
    assert not Study.objects.exists()


def test_a_site_without_a_clinician_has_to_be_told_who(chest: Path) -> None:
    with pytest.raises(CommandError, match="Say in whose name with --user"):
        call_command("submit", str(chest))


@pytest.mark.parametrize("name", ["nobody", "auditor", "gone"])
def test_a_study_is_not_sent_in_the_name_of_who_may_not(auditor: User, chest: Path, name: str) -> None:
    gone = make_user("gone", Role.CLINICIAN)
    gone.is_active = False
    gone.save()
    with pytest.raises(CommandError, match=f"'{name}' is no active user who may send studies"):
        call_command("submit", str(chest), "--user", name)
    assert not Study.objects.exists()


def test_a_wrong_detail_is_named_as_its_option(clinician: User, chest: Path) -> None:
    with pytest.raises(CommandError, match="--patient-birth-date: Enter a valid date"):
        call_command("submit", str(chest), "--patient-birth-date", "yesterday")
    assert not Study.objects.exists()


def test_a_study_from_the_terminal_is_on_record(clinician: User, chest: Path) -> None:
    send(chest)
    event = last_event(AuditAction.STUDY_SUBMITTED)
    assert (event.actor_name, event.address, event.object_id) == ("clinician", "", str(Study.objects.get().pk))


def test_a_new_token_is_printed_alone_and_opens_all_for_ninety_days(
    clinician: User, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("create_token", "clinician")
    secret = capsys.readouterr().out.removesuffix("\n")
    token = find_token(secret)
    assert token
    assert (token.user, token.name, token.scopes) == (clinician, "command line", ["read", "send", "decide"])
    assert token.expires_at - token.created_at < timedelta(days=90) + timedelta(minutes=1)


def test_a_token_from_the_command_line_opens_what_it_was_asked_for(clinician: User) -> None:
    call_command("create_token", "clinician", "--scopes", "send", "read", "--days", "365", "--name", "PACS")
    token = ApiToken.objects.get()
    assert (token.name, token.scopes) == ("PACS", ["read", "send"])
    assert token.expires_at > timezone.now() + timedelta(days=364)


@pytest.mark.parametrize("option", [("--days", "366"), ("--days", "0"), ("--days", "x"), ("--scopes", "all")])
def test_a_token_without_end_or_of_another_scope_is_not_made(clinician: User, option: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match=option[0]):
        call_command("create_token", "clinician", *option)
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("name", ["nobody", "gone"])
def test_no_token_is_made_for_who_is_not_there(clinician: User, name: str) -> None:
    gone = make_user("gone", Role.CLINICIAN)
    gone.is_active = False
    gone.save()
    with pytest.raises(CommandError, match=f"There is no active user '{name}'"):
        call_command("create_token", name)
    assert not ApiToken.objects.exists()


def first_users() -> tuple[dict[str, str], str]:
    """The accounts that were made, name to password, and what else was said."""
    out, err = StringIO(), StringIO()
    call_command("first_users", stdout=out, stderr=err)
    return dict(line.split() for line in out.getvalue().splitlines()), err.getvalue()


def test_an_empty_site_gets_a_clinician_and_an_administrator(db: None) -> None:
    accounts, _ = first_users()
    assert set(accounts) == {"clinician", "administrator"}
    for name, password in accounts.items():
        user = User.objects.get(username=name)
        assert user.check_password(password)
        assert [group.name for group in user.groups.all()] == [name]
        assert (user.is_staff, user.is_superuser) == (name == "administrator", False)


def test_the_first_passwords_are_long_and_never_the_same(db: None) -> None:
    first, _ = first_users()
    User.objects.all().delete()
    second, _ = first_users()
    passwords = [*first.values(), *second.values()]
    assert len(set(passwords)) == 4
    assert all(re.fullmatch(r"[\w-]{16,}", password) for password in passwords)


def test_a_site_with_users_gets_no_more(outsider: User) -> None:
    accounts, words = first_users()
    assert accounts == {}
    assert "There are users already; nothing was made." in words
    assert list(User.objects.all()) == [outsider]


def test_the_first_users_are_on_record_without_their_passwords(db: None) -> None:
    accounts, _ = first_users()
    events = AuditEvent.objects.filter(action=AuditAction.ROW_ADDED, object_type="user").order_by("id")
    assert [event.detail["role"] for event in events] == ["clinician", "administrator"]
    assert not [values for values in AuditEvent.objects.values() for p in accounts.values() if p in str(values)]


@pytest.mark.django_db
def test_a_round_of_the_scheduler_survives_a_database_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    def rounds() -> None:
        with no_database():
            scheduler._round()
        scheduler._round()

    with caplog.at_level(logging.WARNING):
        in_a_thread(rounds)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("The database is out of reach")


@pytest.mark.parametrize(
    ("task", "step"), [("_round", "reconcile"), ("_mail", "mail_notices"), ("_seal", "seal"), ("_keep_audit", "anchor")]
)
@pytest.mark.django_db
def test_no_task_of_the_scheduler_ends_over_a_connection_that_is_closed_already(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, task: str, step: str
) -> None:
    def fail() -> None:
        raise InterfaceError("connection already closed")

    monkeypatch.setattr(scheduler, step, fail)
    with caplog.at_level(logging.WARNING):
        in_a_thread(getattr(scheduler, task))
    assert "connection already closed" in caplog.text


@pytest.mark.django_db
@pytest.mark.parametrize("statement", range(1, 6))
def test_a_round_of_the_scheduler_survives_a_database_that_goes_away_in_the_middle(
    caplog: pytest.LogCaptureFixture, statement: int
) -> None:
    sent: list[str] = []

    def cut_off(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        sent.append(sql)
        if len(sent) == statement:
            with psycopg2.connect(**connection.get_connection_params()) as other, other.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.get_backend_pid()])
            other.close()
        return execute(sql, params, many, context)

    def rounds() -> None:
        with connection.execute_wrapper(cut_off):
            scheduler._round()
        scheduler._round()

    with caplog.at_level(logging.WARNING):
        in_a_thread(rounds)
    assert len(sent) >= statement, "a round has become shorter: lower the number of statements above"
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("The database is out of reach")
