"""The administrator's choice of what reads: each change with a reason, on record, and refused where it cannot be."""

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from diagnoses.models import AuditEvent, Job, ModelChange, ModelVersion, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import Purpose
from diagnoses.models.registry import Standing
from diagnoses.roles import Role
from diagnoses.services.registry import report_worker
from diagnoses.states import JobStatus
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import (
    last_event,
    make_job,
    make_job_of,
    make_model_version,
    make_result,
    make_study,
    queries_of,
)

VERSIONS = "admin:diagnoses_modelversion_changelist"
ACTIONS = ["make_default", "go_back", "run_as_shadow", "end_shadow"]


@pytest.fixture
def panel(administrator: User) -> Client:
    return browser_of(administrator)


@pytest.fixture
def candidate(model_version: ModelVersion) -> ModelVersion:
    """A second model beside the live one."""
    return make_model_version("xception", "1.0.0")


def act(client: Client, action: str, *versions: ModelVersion, reason: str = "Measured better") -> list[str]:
    """Choose an action; what the panel says to it."""
    data = {"action": action, "_selected_action": [str(version.pk) for version in versions], "reason": reason}
    response: Any = client.post(reverse(VERSIONS), data, follow=True)
    return [str(message) for message in response.context["messages"]]


def standings() -> dict[str, str]:
    return dict(ModelVersion.objects.values_list("name", "standing"))


def test_an_administrator_makes_a_version_the_default_and_rolls_back(
    panel: Client, candidate: ModelVersion, model_version: ModelVersion
) -> None:
    assert act(panel, "make_default", candidate) == ["xception 1.0.0 is the default now."]
    assert standings() == {"mobilenet_v2": "candidate", "xception": "live"}
    event = last_event(AuditAction.MODEL_PROMOTED)
    assert (event.actor_name, event.address, event.detail["reason"]) == (
        "administrator",
        "192.0.2.7",
        "Measured better",
    )
    assert act(panel, "go_back", candidate, reason="Too slow") == ["Rolled back from xception 1.0.0."]
    assert standings() == {"mobilenet_v2": "live", "xception": "candidate"}
    assert last_event(AuditAction.MODEL_ROLLED_BACK).detail["reason"] == "Too slow"
    assert [change.kind for change in ModelChange.objects.all()] == ["roll_back", "promote"]


def test_an_administrator_runs_a_version_as_shadow_and_stops_it(panel: Client, candidate: ModelVersion) -> None:
    assert act(panel, "run_as_shadow", candidate) == ["xception 1.0.0 runs as shadow now."]
    assert standings()["xception"] == Standing.SHADOW
    assert act(panel, "end_shadow", candidate) == ["xception 1.0.0 is no shadow any more."]
    assert standings()["xception"] == Standing.CANDIDATE
    assert last_event(AuditAction.SHADOW_STOPPED).actor_name == "administrator"


@pytest.mark.parametrize("reason", ["", "   "])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_change_without_a_reason_does_nothing_and_says_why(
    panel: Client, candidate: ModelVersion, action: str, reason: str
) -> None:
    before = standings()
    assert act(panel, action, candidate, reason=reason) == ["Say why: fill in the reason beside the action."]
    assert standings() == before
    assert not ModelChange.objects.exists()


@pytest.mark.parametrize("action", ACTIONS)
def test_a_change_is_of_one_version(
    panel: Client, candidate: ModelVersion, model_version: ModelVersion, action: str
) -> None:
    before = standings()
    assert act(panel, action, candidate, model_version) == ["Choose one version."]
    assert standings() == before


@pytest.mark.parametrize(
    ("action", "of_live", "words"),
    [
        ("make_default", True, "is the default already"),
        ("go_back", True, "replaced no other version"),
        ("go_back", False, "xception 1.0.0 is not the default"),
        ("run_as_shadow", True, "is the default: a shadow is another version"),
        ("end_shadow", False, "xception 1.0.0 is not the shadow"),
    ],
)
def test_what_cannot_be_is_said_in_words_and_changes_nothing(
    panel: Client, candidate: ModelVersion, model_version: ModelVersion, action: str, of_live: bool, words: str
) -> None:
    before = standings()
    [said] = act(panel, action, model_version if of_live else candidate)
    assert words in said
    assert standings() == before


@pytest.mark.parametrize("action", ["make_default", "run_as_shadow"])
def test_a_version_that_nothing_can_read_with_is_not_chosen(
    panel: Client, model_version: ModelVersion, candidate: ModelVersion, action: str
) -> None:
    gone = make_model_version("gone", "1.0.0", available=False)
    assert "are not shipped with this installation" in act(panel, action, gone)[0]
    report_worker(name="reader-1", model_versions=[model_version], engine="openvino")
    assert "No worker has xception 1.0.0 loaded." in act(panel, action, candidate)[0]
    assert not ModelChange.objects.exists()


@pytest.mark.parametrize("action", ACTIONS)
def test_a_change_needs_its_permission(panel: Client, candidate: ModelVersion, action: str) -> None:
    right = Permission.objects.get(codename="promote_modelversion")
    Group.objects.get(name=Role.ADMINISTRATOR).permissions.remove(right)
    before = standings()
    act(panel, action, candidate)
    assert standings() == before
    assert action not in panel.get(reverse(VERSIONS)).content.decode()


@pytest.mark.parametrize("who", ["auditor", "clinician", "outsider"])
def test_nobody_but_an_administrator_changes_what_reads_or_compares(
    request: pytest.FixtureRequest, candidate: ModelVersion, who: str
) -> None:
    client = browser_of(request.getfixturevalue(who))
    before = standings()
    data = {"action": "make_default", "_selected_action": [str(candidate.pk)], "reason": "Because"}
    refused = 403 if who == "auditor" else 302
    assert client.post(reverse(VERSIONS), data).status_code == refused
    assert client.get(shadow_url(candidate)).status_code == refused
    assert standings() == before


def test_the_list_says_what_each_version_is_to_the_site(panel: Client, candidate: ModelVersion) -> None:
    page = unescape(panel.get(reverse(VERSIONS)).content.decode())
    for words in ("Default", "Candidate", "0.400 and 0.600", f'href="{shadow_url(candidate)}"'):
        assert words in page


def test_a_version_is_shown_with_as_many_digits_as_on_its_page(panel: Client) -> None:
    band = {"low": 0.21234567891, "high": 0.41234567891}
    version = make_model_version(threshold=0.31234567891, temperature=1.51234567891, band=band)
    table = panel.get(reverse(VERSIONS)).content.decode()
    page = panel.get(reverse("admin:diagnoses_modelversion_change", args=[version.pk])).content.decode()
    fields, _, card = page.partition("Card:")
    for text in (table, fields):
        assert "0.312" in text
        assert "0.212 and 0.412" in text
        assert not re.search(r"\d\.\d{4}", text)
    assert "1.512" in fields
    assert "0.31234567891" in card


def test_the_history_of_changes_is_shown_with_its_reasons_and_cannot_be_changed(
    panel: Client, candidate: ModelVersion
) -> None:
    act(panel, "make_default", candidate)
    change = ModelChange.objects.get()
    page = panel.get(reverse("admin:diagnoses_modelchange_changelist")).content.decode()
    assert "Measured better" in page
    assert "administrator" in page
    url = reverse("admin:diagnoses_modelchange_change", args=[change.pk])
    assert panel.get(url).status_code == 200
    assert panel.post(url, {"reason": "Another"}).status_code == 403
    assert panel.post(reverse("admin:diagnoses_modelchange_delete", args=[change.pk])).status_code == 403
    assert panel.get(reverse("admin:diagnoses_modelchange_add")).status_code == 403


def shadow_url(version: ModelVersion) -> str:
    return reverse("admin:diagnoses_modelversion_shadow", args=[version.pk])


def both_read(study: Study, live: ModelVersion, shadow: ModelVersion, label: str) -> Job:
    """An image that the live version calls pneumonia, and the shadow `label`."""
    job = make_job(study, live, JobStatus.DONE)
    other = make_job_of(job.image, shadow, JobStatus.RUNNING, purpose=Purpose.SHADOW)
    make_result(other, label=label, probability=0.07 if label == "NORMAL" else 0.88)
    Job.objects.filter(pk=other.pk).update(status=JobStatus.DONE, lease_until=None)
    return job


@pytest.fixture
def compared(clinician: User, model_version: ModelVersion, candidate: ModelVersion) -> Study:
    """One image on which the two agree, one on which they do not, and one that the shadow alone refused."""
    study = make_study(clinician, model_version, patient_id="P-secret")
    both_read(study, model_version, candidate, "PNEUMONIA")
    both_read(study, model_version, candidate, "NORMAL")
    job = make_job(study, model_version, JobStatus.DONE)
    make_job_of(job.image, candidate, JobStatus.REFUSED, purpose=Purpose.SHADOW, error_code="inverted")
    return study


def test_the_comparison_tells_the_numbers_and_where_the_two_disagree(
    panel: Client, compared: Study, candidate: ModelVersion
) -> None:
    page = " ".join(unescape(panel.get(shadow_url(candidate)).content.decode()).split())
    for name, number in (("both have answered", 3), ("Same label", 1), ("Other label", 1), ("one of the two alone", 1)):
        assert f"{name}</th><td>{number}</td>" in page
    assert "Normal, 7.0 % (xception 1.0.0)" in page
    assert "Pneumonia, 93.1 % (mobilenet_v2 1.0.0)" in page
    assert "Refused: a negative (xception 1.0.0)" in page
    assert page.count(f'href="{reverse("admin:diagnoses_study_change", args=[compared.pk])}"') == 2


def test_the_comparison_shows_neither_pictures_nor_patients(
    panel: Client, compared: Study, candidate: ModelVersion
) -> None:
    page = panel.get(shadow_url(candidate)).content.decode()
    assert "P-secret" not in page
    assert "/picture/" not in page
    assert "/heatmap/" not in page


def test_a_comparison_of_nothing_says_how_to_get_one(panel: Client, candidate: ModelVersion) -> None:
    assert "run the version as shadow" in panel.get(shadow_url(candidate)).content.decode()


def test_a_comparison_without_disagreement_says_so(
    panel: Client, clinician: User, model_version: ModelVersion, candidate: ModelVersion
) -> None:
    both_read(make_study(clinician, model_version), model_version, candidate, "PNEUMONIA")
    assert "They agree on every image." in panel.get(shadow_url(candidate)).content.decode()


def test_a_comparison_needs_the_right_to_see_models_and_a_version_that_exists(
    panel: Client, candidate: ModelVersion
) -> None:
    assert panel.get(reverse("admin:diagnoses_modelversion_shadow", args=[candidate.pk + 1000])).status_code == 404
    Group.objects.get(name=Role.ADMINISTRATOR).permissions.remove(Permission.objects.get(codename="view_modelversion"))
    assert panel.get(shadow_url(candidate)).status_code == 403


def test_more_disagreements_take_no_more_queries(
    panel: Client, compared: Study, model_version: ModelVersion, candidate: ModelVersion
) -> None:
    before = len(queries_of(lambda: panel.get(shadow_url(candidate))))
    for _ in range(3):
        both_read(compared, model_version, candidate, "NORMAL")
    assert len(queries_of(lambda: panel.get(shadow_url(candidate)))) == before


def test_a_comparison_is_only_to_read(panel: Client, compared: Study, candidate: ModelVersion) -> None:
    events = AuditEvent.objects.count()
    assert panel.post(shadow_url(candidate)).status_code == 405
    assert AuditEvent.objects.count() == events
