"""Every page that shows something of a patient says so on record; what it records is in this table."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from diagnoses.models import AuditEvent, Image, Job, Study
from diagnoses.models.audit import AuditAction
from tests.access import shown_to
from tests.conftest import api_of
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import broken_audit

SHOWN: dict[str, tuple[AuditAction, type[Any] | None]] = {
    "worklist": (AuditAction.WORKLIST_VIEWED, None),
    "history": (AuditAction.HISTORY_VIEWED, None),
    "history_csv": (AuditAction.HISTORY_EXPORTED, None),
    "study": (AuditAction.STUDY_VIEWED, Study),
    "study_images": (AuditAction.STUDY_VIEWED, Study),
    "picture": (AuditAction.PICTURE_VIEWED, Image),
    "pixels": (AuditAction.PICTURE_VIEWED, Image),
    "heatmap": (AuditAction.HEATMAP_VIEWED, Job),
    "heatmap_cells": (AuditAction.HEATMAP_VIEWED, Job),
    "report": (AuditAction.REPORT_VIEWED, Study),
    "report_pdf": (AuditAction.REPORT_VIEWED, Study),
    "report_json": (AuditAction.REPORT_VIEWED, Study),
    "dashboard_part": (AuditAction.FIGURES_VIEWED, None),
    "dashboard_csv": (AuditAction.FIGURES_VIEWED, None),
    "dashboard_json": (AuditAction.FIGURES_VIEWED, None),
    "agreement": (AuditAction.FIGURES_VIEWED, None),
    "api_studies": (AuditAction.HISTORY_VIEWED, None),
    "api_study": (AuditAction.STUDY_VIEWED, Study),
    "api_picture": (AuditAction.PICTURE_VIEWED, Image),
    "api_heatmap": (AuditAction.HEATMAP_VIEWED, Job),
    "api_report": (AuditAction.REPORT_VIEWED, Study),
    "api_report_pdf": (AuditAction.REPORT_VIEWED, Study),
}
ELSEWHERE = {"compare", "worklist_changes", "send_state", "export_file", "export_list", "exports"}
"""Recorded where they have something to show, by tests of their own; lists of exports show their owner's own words."""
NOTHING = {
    "send",
    "preferences",
    "study_events",
    "colour_bar",
    "models",
    "model",
    "sign_in",
    "healthz",
    "readyz",
    "api_models",
    "api_schema",
    "help",
    "notices",
    "dashboard",
    "account_login",
    "account_reauthenticate",
    "api_tokens",
    "break_glass",
    "mfa_index",
    "mfa_list_webauthn",
    "security",
    "session_left",
    "usersessions_list",
}
"""Shows nothing of any patient: forms, states without words, models, help. The dashboard's page has no count yet."""

SHAPES = {"dashboard_part": ["cases"], "dashboard_csv": ["cases"]}


def ask(user: User, name: str) -> Any:
    client: Any = api_of(user) if name.startswith("api_") else browser_of(user)
    client.raise_request_exception = False
    kind = SHOWN[name][1]
    arguments = SHAPES.get(name) or ([kind.objects.get().pk] if kind else [])
    return client.get(reverse(name, args=arguments), REMOTE_ADDR="192.0.2.7")


def test_every_address_that_shows_something_is_in_the_table() -> None:
    shows = {name for name in shown_to("sender") if not name.startswith("admin:")}
    assert len(shows) > len(SHOWN)
    assert shows - set(SHOWN) - ELSEWHERE - NOTHING == set(), "say what it records, or that it shows nothing"


@pytest.mark.parametrize("name", SHOWN)
def test_what_shows_something_of_a_patient_is_on_record(clinician: User, done_study: Study, name: str) -> None:
    action, kind = SHOWN[name]
    assert ask(clinician, name).status_code == 200
    event = AuditEvent.objects.filter(action=action).latest("id")
    assert (event.actor_name, event.study) == ("clinician", done_study.pk if kind else None)


@pytest.mark.parametrize("name", SHOWN)
def test_nothing_of_it_is_shown_that_cannot_be_put_on_record(clinician: User, done_study: Study, name: str) -> None:
    ask(clinician, name)  # the sign-in, which is on record, too
    client: Any = api_of(clinician) if name.startswith("api_") else browser_of(clinician)
    client.raise_request_exception = False
    kind = SHOWN[name][1]
    arguments = SHAPES.get(name) or ([kind.objects.get().pk] if kind else [])
    with broken_audit():
        response = client.get(reverse(name, args=arguments))
    assert response.status_code == 500
    assert "P-0001" not in response.content.decode(errors="replace")


@pytest.mark.parametrize("model", ["study", "job"])
def test_an_administrators_look_at_a_study_is_on_record(administrator: User, done_study: Study, model: str) -> None:
    panel: Client = browser_of(administrator)
    target = done_study if model == "study" else Job.objects.get()
    assert panel.get(reverse(f"admin:diagnoses_{model}_changelist")).status_code == 200
    assert panel.get(reverse(f"admin:diagnoses_{model}_change", args=[target.pk])).status_code == 200
    shown = (AuditAction.HISTORY_VIEWED, AuditAction.STUDY_VIEWED)
    listed, looked_at = AuditEvent.objects.filter(action__in=shown).order_by("id")
    assert (listed.action, listed.detail) == (AuditAction.HISTORY_VIEWED, {"page": f"admin:{model}"})
    assert (looked_at.action, looked_at.study) == (AuditAction.STUDY_VIEWED, done_study.pk)
