"""The record of who did and saw what: complete, unchangeable, and written before anything is shown."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from diagnoses import audit
from diagnoses.models import ApiToken, AuditEvent, Image, Job, JobTransition, Study
from diagnoses.models.audit import AuditAction
from diagnoses.roles import Role
from diagnoses.states import JobStatus
from tests.conftest import PASSWORD, api_of, make_user
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import PICTURE, broken_audit, last_event, make_job
from tests.diagnoses.panel import change_user, role_id
from tests.diagnoses.signing_in import confirm

HERE = "192.0.2.7"
KEPT_FOR_EVER = [AuditEvent, JobTransition]
each_kept_table = pytest.mark.parametrize("model", KEPT_FOR_EVER, ids=lambda model: model._meta.db_table)


def assert_event(action: AuditAction, who: str, on: Any = None, *, roles: str = "clinician", where: str = HERE) -> None:
    """The last event of its kind says who, when, from where, on what."""
    event = last_event(action)
    assert (event.actor_name, event.actor_roles, event.address) == (who, roles, where)
    assert event.actor_id == User.objects.get(username=who).pk
    assert timezone.now() - event.at < timedelta(minutes=1)
    expected = (on._meta.model_name, str(on.pk)) if on else ("", "")
    assert (event.object_type, event.object_id) == expected


@pytest.fixture
def anonymous() -> Client:
    return Client(REMOTE_ADDR=HERE)


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create_superuser("root", password=PASSWORD)


@pytest.fixture
def event(clinician: User) -> AuditEvent:
    audit.record(AuditAction.HISTORY_VIEWED, audit.user_actor(clinician, HERE))
    return last_event(AuditAction.HISTORY_VIEWED)


@pytest.fixture
def kept_rows(event: AuditEvent, done_study: Study) -> None:
    """A row in each table that is only ever added to."""
    job = Job.objects.get()
    JobTransition.objects.create(job=job, move="claim", source="queued", target="running", token=1, by="reader-1")


def sign_in(client: Client, name: str, password: str = PASSWORD) -> Any:
    return client.post(reverse("sign_in"), {"login": name, "password": password})


def test_a_sign_in_is_on_record(anonymous: Client, clinician: User) -> None:
    sign_in(anonymous, "clinician")
    assert_event(AuditAction.SIGN_IN, "clinician")
    assert last_event(AuditAction.SIGN_IN).detail == {"factor": "password"}


def test_a_failed_sign_in_is_on_record_with_the_name_that_was_typed(anonymous: Client, clinician: User) -> None:
    sign_in(anonymous, "clinician", "wrong")
    event = last_event(AuditAction.SIGN_IN_FAILED)
    assert (event.actor_id, event.actor_name, event.address) == (None, "clinician", HERE)
    assert event.detail == {}
    assert not AuditEvent.objects.filter(action=AuditAction.SIGN_IN).exists()


@pytest.mark.parametrize("name", ["nobody", "x" * 150, "'; DROP TABLE--", "Nguyễn"])
def test_a_failed_sign_in_of_an_unknown_name_is_on_record(anonymous: Client, db: None, name: str) -> None:
    sign_in(anonymous, name, "wrong")
    noted = last_event(AuditAction.SIGN_IN_FAILED).actor_name
    assert re.fullmatch(r"unknown \([0-9a-f]{8}\)", noted)
    sign_in(anonymous, name, "wrong again")
    assert last_event(AuditAction.SIGN_IN_FAILED).actor_name == noted
    sign_in(anonymous, f"{name[:-1]}?", "wrong")
    assert last_event(AuditAction.SIGN_IN_FAILED).actor_name != noted


def test_a_password_in_the_field_of_the_name_is_never_on_record(anonymous: Client, clinician: User) -> None:
    for _ in range(7):
        sign_in(anonymous, "my long secret", "")
        sign_in(anonymous, "my long secret", "clinician")
    assert AuditEvent.objects.filter(action=AuditAction.SIGN_IN_LOCKED).exists()
    assert "my long secret" not in str(list(AuditEvent.objects.values()))


def test_a_password_is_never_on_record(anonymous: Client, clinician: User) -> None:
    sign_in(anonymous, "clinician", "a secret that was mistyped")
    sign_in(anonymous, "clinician")
    for values in AuditEvent.objects.values():
        assert "a secret that was mistyped" not in str(values)
        assert PASSWORD not in str(values)


def test_a_sign_out_is_on_record(browser: Client) -> None:
    browser.post(reverse("sign_out"))
    assert_event(AuditAction.SIGN_OUT, "clinician")


def test_an_upload_is_on_record(browser: Client, model_version: None) -> None:
    browser.post(reverse("send"), {"files": [SimpleUploadedFile("chest.png", PICTURE)]})
    assert_event(AuditAction.STUDY_SUBMITTED, "clinician", Study.objects.get())


def test_a_refused_upload_is_on_record(browser: Client, model_version: None) -> None:
    browser.post(reverse("send"), {"files": [SimpleUploadedFile("chest.png", b"")]})
    assert_event(AuditAction.UPLOAD_REFUSED, "clinician")


@pytest.mark.parametrize(
    ("address", "action", "kind"),
    [
        ("study", AuditAction.STUDY_VIEWED, Study),
        ("picture", AuditAction.PICTURE_VIEWED, Image),
        ("pixels", AuditAction.PICTURE_VIEWED, Image),
        ("heatmap", AuditAction.HEATMAP_VIEWED, Job),
        ("heatmap_cells", AuditAction.HEATMAP_VIEWED, Job),
        ("history", AuditAction.HISTORY_VIEWED, None),
        ("history_csv", AuditAction.HISTORY_EXPORTED, None),
    ],
)
def test_what_is_looked_at_is_on_record(
    browser: Client, done_study: Study, address: str, action: AuditAction, kind: Any
) -> None:
    target = kind.objects.get() if kind else None
    url = reverse(address, args=[target.pk] if target else [])
    assert browser.get(url).status_code == 200
    assert AuditEvent.objects.filter(action=action).count() == 1
    assert_event(action, "clinician", target)


@pytest.mark.parametrize(
    ("address", "action", "kind"),
    [
        ("api_study", AuditAction.STUDY_VIEWED, Study),
        ("api_picture", AuditAction.PICTURE_VIEWED, Image),
        ("api_heatmap", AuditAction.HEATMAP_VIEWED, Job),
        ("api_studies", AuditAction.HISTORY_VIEWED, None),
    ],
)
def test_what_is_asked_for_through_the_api_is_on_record(
    api: APIClient, done_study: Study, address: str, action: AuditAction, kind: Any
) -> None:
    target = kind.objects.get() if kind else None
    url = reverse(address, args=[target.pk] if target else [])
    assert api.get(url, REMOTE_ADDR=HERE).status_code == 200
    assert_event(action, "clinician", target)


def test_an_upload_through_the_api_is_on_record(api: APIClient, model_version: None) -> None:
    files = {"files": [SimpleUploadedFile("chest.png", PICTURE)]}
    api.post(reverse("api_studies"), files, format="multipart", REMOTE_ADDR=HERE)
    assert_event(AuditAction.STUDY_SUBMITTED, "clinician", Study.objects.get())


@pytest.mark.parametrize("address", ["study", "picture", "heatmap"])
def test_what_an_outsider_was_not_shown_is_not_on_record_as_seen(
    outsider: User, done_study: Study, address: str
) -> None:
    client = browser_of(outsider)
    before = set(AuditEvent.objects.values_list("pk", flat=True))
    targets = {"study": done_study.pk, "picture": Image.objects.get().pk, "heatmap": Job.objects.get().pk}
    assert client.get(reverse(address, args=[targets[address]])).status_code == 404
    [event] = AuditEvent.objects.exclude(pk__in=before)
    assert event.action == AuditAction.ACCESS_DENIED


def test_a_token_that_the_command_line_makes_is_on_record(clinician: User) -> None:
    call_command("create_token", "clinician")
    event = last_event(AuditAction.TOKEN_CREATED)
    assert (event.actor_name, event.actor_id, event.address) == ("create_token", None, "")
    assert (event.object_type, event.object_id) == ("apitoken", str(ApiToken.objects.get().pk))
    assert event.detail["user"] == "clinician"


def test_a_token_is_on_record_without_the_token(clinician: User) -> None:
    data = {"name": "export", "scopes": ["read"], "days": "30"}
    browser = browser_of(clinician)
    confirm(browser)
    page = browser.post(reverse("api_tokens"), data).content.decode()
    [secret] = re.findall("cxr_[A-Za-z0-9_-]{43}", page)
    token = ApiToken.objects.get()
    assert_event(AuditAction.TOKEN_CREATED, "clinician", token)
    browser_of(clinician).post(reverse("revoke_api_token", args=[token.pk]))
    assert_event(AuditAction.TOKEN_REVOKED, "clinician", token)
    kept = str(list(AuditEvent.objects.values()))
    assert secret not in kept
    assert token.digest not in kept


def test_a_retry_in_the_panel_is_on_record(administrator: User, done_study: Study, model_version: Any) -> None:
    job = make_job(done_study, model_version, JobStatus.FAILED)
    data = {"action": "retry", "_selected_action": [str(job.pk)], "reason": "The disk was full"}
    browser_of(administrator).post(reverse("admin:diagnoses_job_changelist"), data)
    assert_event(AuditAction.JOB_RETRIED, "administrator", job, roles="administrator")


def test_a_user_that_is_added_in_the_panel_is_on_record(administrator: User) -> None:
    browser_of(administrator).post(reverse("admin:auth_user_add"), {"username": "newcomer"})
    added = User.objects.get(username="newcomer")
    assert_event(AuditAction.ROW_ADDED, "administrator", added, roles="administrator")


def test_a_user_that_is_changed_in_the_panel_is_on_record_with_what_changed(
    administrator: User, clinician: User
) -> None:
    change_user(browser_of(administrator), clinician, first_name="Lan", groups=[role_id(Role.AUDITOR)])
    clinician.refresh_from_db()
    assert clinician.first_name == "Lan"
    assert_event(AuditAction.ROW_CHANGED, "administrator", clinician, roles="administrator")
    detail = str(last_event(AuditAction.ROW_CHANGED).detail)
    assert "First name" in detail
    assert "Groups" in detail


def test_a_new_name_of_a_user_is_on_record_with_the_old_one(administrator: User, clinician: User) -> None:
    panel = browser_of(administrator)
    change_user(panel, clinician, username="renamed")
    said = last_event(AuditAction.ROW_CHANGED).detail["changes"]
    assert {"renamed": {"was": "clinician", "now": "renamed"}} in said
    page = panel.get(reverse("admin:auth_user_history", args=[clinician.pk]))
    assert "Changed Username" in page.content.decode()


def test_a_user_that_is_deleted_in_the_panel_is_on_record(superuser: User) -> None:
    outgoing = make_user("outgoing", Role.CLINICIAN)
    url = reverse("admin:auth_user_delete", args=[outgoing.pk])
    browser_of(superuser).post(url, {"post": "yes"})
    assert not User.objects.filter(username="outgoing").exists()
    event = last_event(AuditAction.ROW_DELETED)
    assert (event.actor_name, event.actor_roles, event.address) == ("root", "superuser", HERE)
    assert (event.object_type, event.object_id) == ("user", str(outgoing.pk))


def test_the_actor_stays_as_they_were_then(event: AuditEvent, clinician: User) -> None:
    clinician.username = "renamed"
    clinician.is_superuser = True
    clinician.save()
    clinician.groups.set([Group.objects.get(name=Role.ADMINISTRATOR)])
    event.refresh_from_db()
    assert (event.actor_name, event.actor_roles) == ("clinician", "clinician")


def test_the_record_outlives_the_account(clinician: User, event: AuditEvent) -> None:
    number = clinician.pk
    clinician.delete()
    event.refresh_from_db()
    assert (event.actor_id, event.actor_name) == (number, "clinician")


def test_every_role_of_the_actor_is_on_record(clinician: User) -> None:
    clinician.groups.add(Group.objects.get(name=Role.AUDITOR))
    clinician.is_superuser = True
    audit.record(AuditAction.HISTORY_VIEWED, audit.user_actor(clinician))
    assert last_event(AuditAction.HISTORY_VIEWED).actor_roles == "auditor, clinician, superuser"


@each_kept_table
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}", "TRUNCATE {} CASCADE"])
@pytest.mark.usefixtures("kept_rows")
def test_the_database_refuses_to_change_what_is_on_record(model: Any, statement: str) -> None:
    before = list(model.objects.values())
    assert before
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else the test's own fresh rows forbid a TRUNCATE
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute(statement.format(model._meta.db_table))
    assert list(model.objects.values()) == before


@each_kept_table
@pytest.mark.parametrize(
    "act",
    [lambda row: row.save(), lambda row: row.delete(), lambda row: type(row).objects.all().delete()],
    ids=["save", "delete", "delete all"],
)
@pytest.mark.usefixtures("kept_rows")
def test_the_product_itself_cannot_change_what_is_on_record(model: Any, act: Callable[[Any], Any]) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        act(model.objects.latest("id"))
    assert model.objects.exists()


@pytest.mark.parametrize("address", ["study", "picture", "heatmap", "history"])
def test_nothing_is_shown_that_cannot_be_put_on_record(clinician: User, done_study: Study, address: str) -> None:
    browser = browser_of(clinician)
    browser.raise_request_exception = False
    ids: dict[str, Any] = {"study": done_study.pk, "picture": Image.objects.get().pk, "heatmap": Job.objects.get().pk}
    url = reverse(address, args=[ids[address]] if address in ids else [])
    with broken_audit():
        response = browser.get(url)
    assert response.status_code == 500
    assert "P-0001" not in response.content.decode()
    assert response["Content-Type"].startswith("text/html")
    assert browser.get(url).status_code == 200


@pytest.mark.parametrize("address", ["api_study", "api_picture", "api_heatmap", "api_studies"])
def test_the_api_gives_nothing_that_cannot_be_put_on_record(clinician: User, done_study: Study, address: str) -> None:
    api = api_of(clinician)
    api.raise_request_exception = False
    image, job = Image.objects.get(), Job.objects.get()
    ids: dict[str, Any] = {"api_study": done_study.pk, "api_picture": image.pk, "api_heatmap": job.pk}
    url = reverse(address, args=[ids[address]] if address in ids else [])
    with broken_audit():
        response = api.get(url)
    assert response.status_code == 500
    assert "P-0001" not in response.content.decode()


def test_nobody_is_signed_in_who_cannot_be_put_on_record(anonymous: Client, clinician: User) -> None:
    anonymous.raise_request_exception = False
    with broken_audit():
        assert sign_in(anonymous, "clinician").status_code == 500
    assert anonymous.get(reverse("history")).status_code == 302
