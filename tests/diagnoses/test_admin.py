"""The administrator's panel: each role sees its part, and nobody rewrites what the product wrote."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from diagnoses.audit import user_actor
from diagnoses.models import ApiToken, AuditEvent, Job, JobTransition, ModelVersion, Study, Worker
from diagnoses.models.audit import AuditAction
from diagnoses.roles import Role
from diagnoses.services.registry import report_worker
from diagnoses.services.tokens import create_token
from diagnoses.states import JobStatus
from tests.conftest import PASSWORD, make_user
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import last_event, make_job, row
from tests.diagnoses.panel import change_user, role_id

RECORDS = ["diagnoses_study", "diagnoses_job", "diagnoses_modelversion", "diagnoses_worker", "diagnoses_auditevent"]
EVERYTHING = [*RECORDS, "diagnoses_modelchange", "auth_user", "auth_group", "diagnoses_apitoken"]


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create_superuser("root", password=PASSWORD)


@pytest.fixture
def panel(administrator: User) -> Client:
    """The panel in the administrator's hands."""
    return browser_of(administrator)


@pytest.fixture
def records(done_study: Study, model_version: ModelVersion) -> None:
    """A row of each kind that the product itself writes."""
    report_worker(name="reader-1", model_versions=[model_version], engine="openvino")


def changelist(client: Client, name: str) -> int:
    return client.get(reverse(f"admin:{name}_changelist")).status_code


def last_row(name: str) -> Any:
    models: dict[str, Any] = {
        "diagnoses_study": Study,
        "diagnoses_job": Job,
        "diagnoses_modelversion": ModelVersion,
        "diagnoses_worker": Worker,
        "diagnoses_auditevent": AuditEvent,
    }
    return models[name].objects.latest("pk")


def retry(client: Client, *jobs: Job, reason: str = "The disk was full") -> Any:
    data = {"action": "retry", "_selected_action": [str(job.pk) for job in jobs], "reason": reason}
    return client.post(reverse("admin:diagnoses_job_changelist"), data, follow=True)


def words_of(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


@pytest.mark.parametrize("name", EVERYTHING)
def test_an_administrator_sees_all_lists(panel: Client, records: None, name: str) -> None:
    assert changelist(panel, name) == 200


@pytest.mark.parametrize("name", RECORDS)
def test_an_administrator_sees_each_record_in_full(panel: Client, records: None, name: str) -> None:
    url = reverse(f"admin:{name}_change", args=[last_row(name).pk])
    assert panel.get(url).status_code == 200


@pytest.mark.parametrize("name", EVERYTHING)
def test_an_auditor_sees_the_audit_and_nothing_else(auditor: User, records: None, name: str) -> None:
    assert changelist(browser_of(auditor), name) == (200 if name == "diagnoses_auditevent" else 403)


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_clinician_is_led_to_the_panels_sign_in(browser: Client, records: None, name: str) -> None:
    response = browser.get(reverse(f"admin:{name}_changelist"))
    assert (response.status_code, response["Location"].split("?")[0]) == (302, reverse("admin:login"))


def test_a_clinician_with_the_staff_flag_alone_still_sees_no_users(clinician: User) -> None:
    User.objects.update(is_staff=True)
    client = browser_of(clinician)
    assert {changelist(client, name) for name in ("auth_user", "diagnoses_job", "diagnoses_auditevent")} == {403}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("who", ["administrator", "auditor", "superuser"])
def test_nobody_adds_changes_or_deletes_what_the_product_wrote(
    request: pytest.FixtureRequest, records: None, name: str, who: str
) -> None:
    client = browser_of(request.getfixturevalue(who))
    target = last_row(name)
    before = type(target).objects.filter(pk=target.pk).values().get()
    urls = {
        verb: reverse(f"admin:{name}_{verb}", args=[] if verb == "add" else [target.pk])
        for verb in ("add", "change", "delete")
    }
    assert client.get(urls["add"]).status_code == 403
    assert {client.post(url, {"post": "yes"}).status_code for url in urls.values()} == {403}
    delete_all = {"action": "delete_selected", "_selected_action": [str(target.pk)], "post": "yes"}
    client.post(reverse(f"admin:{name}_changelist"), delete_all)
    assert type(target).objects.filter(pk=target.pk).values().get() == before


def test_the_audits_page_offers_no_way_to_change_it(superuser: User, records: None) -> None:
    client = browser_of(superuser)
    lists = client.get(reverse("admin:diagnoses_auditevent_changelist")).content.decode()
    page = client.get(reverse("admin:diagnoses_auditevent_change", args=[last_row(RECORDS[-1]).pk])).content.decode()
    assert "delete_selected" not in lists
    assert "/auditevent/add/" not in lists
    assert 'name="_save"' not in page
    assert "/delete/" not in page


def test_the_audit_says_who_when_from_where_and_on_what(auditor: User, browser: Client, done_study: Study) -> None:
    browser.get(reverse("study", args=[done_study.pk]))
    page = browser_of(auditor).get(reverse("admin:diagnoses_auditevent_changelist")).content.decode()
    for words in ("Study viewed", "clinician", "192.0.2.7", str(done_study.pk)):
        assert words in page


def test_the_audit_is_found_by_whom_it_speaks_of(auditor: User, browser: Client, done_study: Study) -> None:
    browser.get(reverse("study", args=[done_study.pk]))
    url = reverse("admin:diagnoses_auditevent_changelist")
    found = browser_of(auditor).get(url, {"study": str(done_study.pk)}).context["cl"].result_list
    assert [event.action for event in found] == [AuditAction.STUDY_VIEWED]


def test_a_jobs_page_shows_every_move_it_made(panel: Client, done_study: Study) -> None:
    job = Job.objects.get()
    JobTransition.objects.create(
        job=job, move="recover", source="running", target="queued", token=1, by="scheduler", detail="worker_lost"
    )
    page = panel.get(reverse("admin:diagnoses_job_change", args=[job.pk])).content.decode()
    assert "worker_lost" in page
    assert "scheduler" in page


def test_why_a_refusal_was_overridden_is_neither_shown_nor_searched(panel: Client, done_study: Study) -> None:
    said = {"override_code": "inverted", "override_by": "clinician", "override_reason": "Mr Nguyen, seen by me"}
    job = Job.objects.get(image__study=done_study)
    Job.objects.filter(pk=job.pk).update(**said, override_at=job.created_at)
    page = panel.get(reverse("admin:diagnoses_job_change", args=[job.pk])).content.decode()
    assert "inverted" in page
    assert "Nguyen" not in page
    jobs = reverse("admin:diagnoses_job_changelist")
    for hidden in ("override_reason__icontains=Nguyen", "image__study__patient_sex=F", "words__contains=1"):
        assert panel.get(f"{jobs}?{hidden}").status_code == 400
    assert str(job.pk) in panel.get(f"{jobs}?status__exact=done").content.decode()


def test_a_model_shows_its_whole_card(panel: Client, model_version: ModelVersion) -> None:
    page = panel.get(reverse("admin:diagnoses_modelversion_change", args=[model_version.pk])).content.decode()
    assert model_version.weights_sha256 in page
    assert "intended_use" in page


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.REFUSED])
def test_a_retry_queues_the_chosen_jobs(
    panel: Client, done_study: Study, model_version: ModelVersion, status: JobStatus
) -> None:
    chosen = make_job(done_study, model_version, status)
    other = make_job(done_study, model_version, status)
    assert words_of(retry(panel, chosen)) == ["1 queued again."]
    assert [row(job)["status"] for job in (chosen, other)] == [JobStatus.QUEUED, status]
    assert last_event(AuditAction.JOB_RETRIED).detail["reason_given"] is True
    assert "The disk was full" in panel.get(reverse("admin:diagnoses_job_change", args=[chosen.pk])).content.decode()


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_retry_without_a_reason_does_nothing_and_says_why(
    panel: Client, done_study: Study, model_version: ModelVersion, reason: str
) -> None:
    job = make_job(done_study, model_version, JobStatus.FAILED)
    before = row(job)
    assert words_of(retry(panel, job, reason=reason)) == ["Say why: fill in the reason beside the action."]
    assert row(job) == before
    assert not AuditEvent.objects.filter(action=AuditAction.JOB_RETRIED).exists()


def test_a_retry_of_what_may_not_be_retried_says_so(
    panel: Client, done_study: Study, model_version: ModelVersion
) -> None:
    failed = make_job(done_study, model_version, JobStatus.FAILED)
    running = make_job(done_study, model_version, JobStatus.RUNNING)
    before = row(running)
    assert words_of(retry(panel, failed, running)) == [
        "1 queued again.",
        "1 left alone: neither failed nor refused.",
    ]
    assert row(running) == before


def test_a_retry_needs_its_permission(
    panel: Client, administrator: User, done_study: Study, model_version: ModelVersion
) -> None:
    Group.objects.get(name=Role.ADMINISTRATOR).permissions.remove(Permission.objects.get(codename="retry_job"))
    job = make_job(done_study, model_version, JobStatus.FAILED)
    retry(panel, job)
    assert row(job)["status"] == JobStatus.FAILED


def test_an_administrator_makes_an_account_with_a_role(panel: Client) -> None:
    panel.post(reverse("admin:auth_user_add"), {"username": "newcomer"})
    newcomer = User.objects.get(username="newcomer")
    change_user(panel, newcomer, groups=[role_id(Role.CLINICIAN)])
    assert newcomer.has_perm("diagnoses.add_study")
    assert not newcomer.is_superuser


def test_an_administrator_switches_an_account_off(panel: Client, clinician: User) -> None:
    change_user(panel, clinician, is_active=False)
    clinician.refresh_from_db()
    assert not clinician.is_active


@pytest.mark.parametrize("who", ["clinician", "administrator"])
def test_an_administrator_makes_nobody_a_superuser(panel: Client, request: pytest.FixtureRequest, who: str) -> None:
    user = request.getfixturevalue(who)
    change_user(panel, user, first_name="Lan", is_superuser="on")
    user.refresh_from_db()
    assert (user.first_name, user.is_superuser) == ("Lan", False)


def test_an_administrator_hands_out_no_rights_beyond_the_roles(panel: Client, clinician: User) -> None:
    right = Permission.objects.get(codename="delete_user")
    change_user(panel, clinician, first_name="Lan", user_permissions=[right.pk])
    clinician.refresh_from_db()
    assert (clinician.first_name, list(clinician.user_permissions.all())) == ("Lan", [])


def test_an_administrator_adds_no_superuser(panel: Client) -> None:
    panel.post(reverse("admin:auth_user_add"), {"username": "newcomer", "is_superuser": "on"})
    assert User.objects.get(username="newcomer").is_superuser is False


def test_an_administrator_does_not_touch_a_superuser(panel: Client, superuser: User) -> None:
    response = panel.post(reverse("admin:auth_user_change", args=[superuser.pk]), {"username": "mine"})
    assert response.status_code == 403
    superuser.refresh_from_db()
    assert superuser.username == "root"
    assert superuser.check_password(PASSWORD)


def token_of(user: User) -> ApiToken:
    return create_token(actor=user_actor(user), user=user, name="export").token


def revoke_in_panel(client: Client, *tokens: ApiToken) -> Any:
    data = {"action": "revoke", "_selected_action": [token.pk for token in tokens]}
    return client.post(reverse("admin:diagnoses_apitoken_changelist"), data, follow=True)


def test_an_administrator_sees_tokens_and_never_a_digest(panel: Client, clinician: User) -> None:
    token = token_of(clinician)
    for address in (reverse("admin:diagnoses_apitoken_changelist"), f"/admin/diagnoses/apitoken/{token.pk}/change/"):
        page = panel.get(address).content.decode()
        assert token.start in page
        assert token.digest not in page


def test_an_administrator_makes_changes_and_deletes_no_token(panel: Client, clinician: User) -> None:
    token = token_of(clinician)
    for address in ("add/", f"{token.pk}/delete/", f"{token.pk}/change/"):
        data = {"user": clinician.pk, "name": "mine", "post": "yes"}
        assert panel.post(f"/admin/diagnoses/apitoken/{address}", data).status_code == 403
    assert list(ApiToken.objects.values_list("name", flat=True)) == ["export"]


def test_an_administrator_revokes_a_token_on_record(panel: Client, clinician: User) -> None:
    token = token_of(clinician)
    assert "1 token revoked." in revoke_in_panel(panel, token).content.decode()
    token.refresh_from_db()
    assert token.revoked_at
    event = last_event(AuditAction.TOKEN_REVOKED)
    assert (event.actor_name, event.object_id) == ("administrator", str(token.pk))


def test_an_administrator_neither_sees_nor_revokes_a_superusers_token(panel: Client, superuser: User) -> None:
    token = token_of(superuser)
    assert token.start not in revoke_in_panel(panel, token).content.decode()
    token.refresh_from_db()
    assert token.revoked_at is None


def test_an_auditor_revokes_nothing(auditor: User, clinician: User) -> None:
    token = token_of(clinician)
    assert revoke_in_panel(browser_of(auditor), token).status_code == 403
    token.refresh_from_db()
    assert token.revoked_at is None


def test_an_administrator_deletes_no_account(panel: Client, clinician: User) -> None:
    assert panel.post(reverse("admin:auth_user_delete", args=[clinician.pk]), {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=clinician.pk).exists()


def test_an_administrator_does_not_change_what_a_role_may(panel: Client) -> None:
    group = Group.objects.get(name=Role.ADMINISTRATOR)
    rights = set(group.permissions.all())
    response = panel.post(
        reverse("admin:auth_group_change", args=[group.pk]),
        {"name": group.name, "permissions": [p.pk for p in Permission.objects.all()]},
    )
    assert response.status_code == 403
    assert set(group.permissions.all()) == rights


def test_a_superuser_may_make_another(superuser: User) -> None:
    second = make_user("second", Role.ADMINISTRATOR, is_staff=True)
    change_user(browser_of(superuser), second, is_superuser="on")
    second.refresh_from_db()
    assert second.is_superuser


def test_an_account_with_studies_is_kept_even_from_a_superuser(superuser: User, done_study: Study) -> None:
    clinician = done_study.submitted_by
    browser_of(superuser).post(reverse("admin:auth_user_delete", args=[clinician.pk]), {"post": "yes"})
    assert User.objects.filter(pk=clinician.pk).exists()
