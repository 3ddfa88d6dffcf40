"""A site of before keeps what it has: its versions, its queue and its results."""

import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.apps.registry import Apps
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import QueryDict

from diagnoses import sealing, storage
from diagnoses.audit import user_actor
from diagnoses.models import AuditEvent, Job, ModelVersion, Patient, Result, SavedView, Study, Worker
from diagnoses.models.job import Purpose
from diagnoses.models.registry import Standing
from diagnoses.searching import opened_query
from diagnoses.selectors.history import history_page
from diagnoses.selectors.patients import find_patient
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.services.registry import register_model_version, sync_shipped
from diagnoses.services.submission import KeyReusedError, StudyDetails, submit_study
from tests.diagnoses.factory import HEATMAP, make_card, sent

BEFORE = "0003_roles"
SAID = {
    "patient_id": "P-1",
    "patient_birth_date": date(2020, 2, 3),
    "accession_number": "",
    "clinical_note": "Sốt cao",
}


def migrate(name: str | None = None) -> Apps:
    """The database as it was (or, without a name, as it is now). The test's transaction undoes all of it."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    executor = MigrationExecutor(connection)
    last = [key for key in executor.loader.graph.leaf_nodes() if key[0] == "diagnoses"]
    targets = [("diagnoses", name)] if name else last
    executor.migrate(targets)
    return executor.loader.project_state(targets).apps


def seed(apps: Apps, owner: User) -> None:
    """A version with one waiting job and one done, read by a worker, as the code of before left them."""
    names = ("ModelVersion", "Worker", "Study", "Image", "Job", "Result")
    old: Any = {name: apps.get_model("diagnoses", name).objects for name in names}
    card = make_card(version="1.0.0")
    facts = {key: card[key] for key in ("architecture", "weights_sha256", "preprocessing_version", "temperature")}
    version = old["ModelVersion"].create(name=card["name"], version="1.0.0", threshold=0.7, card=card, **facts)
    old["Worker"].create(name="reader-1", model_version=version, engine="openvino")
    study = old["Study"].create(submitted_by_id=owner.pk, **SAID)
    stored = {"filename": "kept-.png", "kind": "png", "byte_size": 1, "sha256": "0" * 64, "width": 1, "height": 1}
    for position, status in enumerate(("queued", "done")):
        image = old["Image"].create(study=study, position=position, stored_name=uuid.uuid4().hex, **stored)
        job = old["Job"].create(image=image, model_version=version, status=status)
    said = {"label": "NORMAL", "score": -2.0, "probability": 0.1, "threshold": 0.7, "temperature": 1.0}
    hashes = {"weights_sha256": card["weights_sha256"], "image_sha256": "0" * 64, "preprocessing_version": "x"}
    storage.write("heatmaps/x", HEATMAP)
    heat = {"engine": "openvino", "heatmap_name": "heatmaps/x", "heatmap_peak": 0.0, "timings_ms": {}}
    old["Result"].create(job=job, **said, **hashes, **heat)


def a_version_is_known_by_its_card_and_decides_as_it_did(_: User) -> None:
    version = ModelVersion.objects.get()
    assert (version.threshold, version.band_low, version.band_high) == (0.7, 0.7, 0.7)
    assert (version.standing, version.available) == (Standing.CANDIDATE, False)
    assert register_model_version(card=make_card(version="1.0.0")) == version


def a_result_is_as_sure_as_it_was(_: User) -> None:
    result = Result.objects.get()
    assert (result.indeterminate, result.warnings, result.override_code) == (False, [], "")
    assert (result.threshold, result.band_low, result.band_high) == (0.7, 0.7, 0.7)


def a_heatmap_went_from_its_file_into_its_row(_: User) -> None:
    assert bytes(Result.objects.get().heatmap) == HEATMAP


def what_waits_waits_still_and_is_read_as_it_was_sent(_: User) -> None:
    assert set(Job.objects.values_list("status", "purpose", "override_code")) == {
        ("queued", Purpose.PRIMARY, ""),
        ("done", Purpose.PRIMARY, ""),
    }
    assert not Worker.objects.exists(), "workers report anew"
    sync_shipped(cards=[make_card(version="1.0.0")])
    assert ModelVersion.objects.get().is_live


def a_reading_is_in_its_owners_history(clinician: User) -> None:
    found = {job.status: job for job in history_page(clinician, HistoryFilter(search="kept-")).jobs}
    assert set(found) == {"queued", "done"}
    assert [job.status for job in history_page(clinician, HistoryFilter(label="NORMAL")).jobs] == ["done"]


def what_told_of_a_patient_is_sealed_and_found(clinician: User) -> None:
    study = Study.objects.get()
    assert {name: getattr(study, name) for name in SAID} == SAID
    assert {image.filename for image in study.images.all()} == {"kept-.png"}
    assert study.subject == find_patient("p-1")
    assert len(history_page(clinician, HistoryFilter(search="sốt", patient_id="P-1")).jobs) == 2


def the_way_back_is_open(_: User) -> None:
    result: Any = migrate(BEFORE).get_model("diagnoses", "Result").objects.get()
    assert result.threshold == 0.7
    assert storage.read(result.heatmap_name) == HEATMAP
    study: Any = result.job.image.study
    assert {name: getattr(study, name) for name in SAID} == SAID


# Of one update, since each takes many seconds.
KEPT: tuple[Callable[[User], None], ...] = (
    a_version_is_known_by_its_card_and_decides_as_it_did,
    a_result_is_as_sure_as_it_was,
    a_heatmap_went_from_its_file_into_its_row,
    what_waits_waits_still_and_is_read_as_it_was_sent,
    a_reading_is_in_its_owners_history,
    what_told_of_a_patient_is_sealed_and_found,
    the_way_back_is_open,
)


def test_a_site_of_before_keeps_what_it_has_and_the_way_back_is_open(clinician: User) -> None:
    seed(migrate(BEFORE), clinician)
    migrate()
    for holds in KEPT:
        with transaction.atomic():
            holds(clinician)
            transaction.set_rollback(True)


def test_tokens_of_before_are_gone_with_their_table_and_rights(clinician: User) -> None:
    migrate("0034_api_tokens")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE authtoken_token (key text PRIMARY KEY, user_id integer REFERENCES auth_user)")
        cursor.execute("INSERT INTO authtoken_token VALUES ('in clear', %s)", [clinician.pk])
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('authtoken', '0001_initial', now())")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    kind = ContentType.objects.create(app_label="authtoken", model="tokenproxy")
    right = Permission.objects.create(content_type=kind, codename="add_tokenproxy", name="Can add token")
    # Past the signal that puts it on record, for which this old table has no columns.
    administrators = Group.objects.get(name="administrator")
    Group.permissions.through.objects.create(group=administrators, permission=right)
    LogEntry.objects.create(user=clinician, content_type=kind, action_flag=ADDITION, object_repr="a token")
    migrate()
    assert "authtoken_token" not in connection.introspection.table_names()
    assert not ContentType.objects.filter(app_label="authtoken").exists()
    assert not Permission.objects.filter(codename="add_tokenproxy").exists()
    assert LogEntry.objects.get().content_type is None
    rights = Group.objects.get(name="administrator").permissions.filter(content_type__model="apitoken")
    assert set(rights.values_list("codename", flat=True)) == {"view_apitoken", "revoke_apitoken"}


def test_what_was_looked_for_before_is_sealed_and_struck_out_of_the_audit(clinician: User) -> None:
    old = migrate("0030_patients")
    query = "search=Nguyen&label=NORMAL"
    view: Any = old.get_model("diagnoses", "SavedView").objects
    view.create(user_id=clinician.pk, page="history", name="mine", query=query)
    event: Any = old.get_model("diagnoses", "AuditEvent").objects
    event.create(action="history_exported", detail={"filter": query})
    migrate()
    kept = SavedView.objects.get().query
    assert "Nguyen" not in kept
    assert opened_query(clinician.pk, QueryDict(kept)).dict() == {"search": "Nguyen", "label": "NORMAL"}
    event = AuditEvent.objects.get(action="history_exported")
    assert event.detail == {"filter": {"search": "yes", "label": "NORMAL"}}


def test_a_senders_key_of_before_is_kept_as_a_digest_and_known_again(clinician: User) -> None:
    old: Any = migrate("0051_audit_by_address").get_model("diagnoses", "Study").objects
    subject = Patient.objects.create()
    for key in ("ACC-4711", ""):
        old.create(submitted_by_id=clinician.pk, subject_id=subject.pk, idempotency_key=key)
    migrate()
    kept = set(Study.objects.values_list("idempotency_key", flat=True))
    assert kept == {sealing.key_digest("ACC-4711"), ""}
    assert not any("4711" in key for key in kept)
    with pytest.raises(KeyReusedError):
        submit_study(actor=user_actor(clinician), files=[sent()], details=StudyDetails(), idempotency_key="ACC-4711")
