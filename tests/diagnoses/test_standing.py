"""What reads is a person's choice: promotion, going back, a shadow. Each with its reason, and on record."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction

from diagnoses.audit import Actor, user_actor
from diagnoses.models import AuditEvent, ModelChange, ModelVersion
from diagnoses.models.audit import AuditAction
from diagnoses.models.registry import ChangeKind, Standing
from diagnoses.roles import MAY_OVERRIDE, MAY_PROMOTE
from diagnoses.selectors.registry import live_model_version, shadow_model_version
from diagnoses.services.registry import RegistryError, promote, report_worker, roll_back, start_shadow, stop_shadow
from tests.diagnoses.factory import broken_audit, last_event, make_model_version

Act = Callable[..., Any]


@pytest.fixture
def actor(administrator: User) -> Actor:
    return user_actor(administrator, "192.0.2.7")


@pytest.fixture
def newer(model_version: ModelVersion) -> ModelVersion:
    """A candidate that was trained later than the live version, and decides by other numbers."""
    return make_model_version(version="2.0.0", threshold=0.3, temperature=2.0, band={"low": 0.2, "high": 0.35})


def last_change() -> tuple[str, ModelVersion, ModelVersion | None]:
    change = ModelChange.objects.latest("id")
    return change.kind, change.version, change.replaced


def test_a_promoted_version_is_live_and_the_one_before_a_candidate(
    model_version: ModelVersion, newer: ModelVersion, actor: Actor
) -> None:
    promote(version=newer, actor=actor, reason="Better on our own patients.")
    assert live_model_version() == newer
    model_version.refresh_from_db()
    assert model_version.standing == Standing.CANDIDATE
    assert last_change() == (ChangeKind.PROMOTE, newer, model_version)


def test_threshold_temperature_and_band_come_and_go_with_the_version(
    model_version: ModelVersion, newer: ModelVersion, actor: Actor
) -> None:
    def decides_by() -> tuple[float, ...]:
        live = live_model_version()
        assert live
        return live.threshold, live.temperature, live.band_low, live.band_high

    before = decides_by()
    promote(version=newer, actor=actor, reason="Better.")
    assert decides_by() == (0.3, 2.0, 0.2, 0.35)
    roll_back(actor=actor, reason="Worse after all.")
    assert decides_by() == before == (0.45, 1.5, 0.4, 0.6)


def test_a_promotion_is_on_record_with_who_and_why(newer: ModelVersion, actor: Actor) -> None:
    promote(version=newer, actor=actor, reason="  Better on our own patients. ")
    change = ModelChange.objects.get()
    assert (change.by, change.reason) == ("administrator", "Better on our own patients.")
    event = last_event(AuditAction.MODEL_PROMOTED)
    assert (event.actor_name, event.address, event.object_id) == ("administrator", "192.0.2.7", str(newer.pk))
    assert event.detail == {
        "version": "mobilenet_v2 2.0.0",
        "replaced": "mobilenet_v2 1.0.0",
        "reason": "Better on our own patients.",
    }


def test_a_promotion_that_cannot_be_put_on_record_does_not_happen(
    model_version: ModelVersion, newer: ModelVersion, actor: Actor
) -> None:
    with broken_audit(), pytest.raises(DatabaseError), transaction.atomic():
        promote(version=newer, actor=actor, reason="Better.")
    assert live_model_version() == model_version
    assert not ModelChange.objects.exists()


def test_going_back_leads_to_what_the_live_one_replaced(
    model_version: ModelVersion, newer: ModelVersion, actor: Actor
) -> None:
    promote(version=newer, actor=actor, reason="Better.")
    assert roll_back(actor=actor, reason="It misses small ones.") == model_version
    assert live_model_version() == model_version
    assert last_change() == (ChangeKind.ROLL_BACK, model_version, newer)
    assert last_event(AuditAction.MODEL_ROLLED_BACK).detail["reason"] == "It misses small ones."


def test_going_back_twice_goes_two_steps_back_and_not_to_and_fro(
    model_version: ModelVersion, newer: ModelVersion, actor: Actor
) -> None:
    newest = make_model_version(version="3.0.0")
    for version in (newer, newest):
        promote(version=version, actor=actor, reason="Better.")
    assert [roll_back(actor=actor, reason="Worse.") for _ in range(2)] == [newer, model_version]
    with pytest.raises(RegistryError, match="none to go back to"):
        roll_back(actor=actor, reason="Worse.")


def test_there_is_no_going_back_from_the_first_model(model_version: ModelVersion, actor: Actor) -> None:
    with pytest.raises(RegistryError, match="none to go back to"):
        roll_back(actor=actor, reason="Worse.")
    assert live_model_version() == model_version


def test_there_is_no_going_back_to_a_version_whose_files_are_gone(
    model_version: ModelVersion, newer: ModelVersion, actor: Actor
) -> None:
    promote(version=newer, actor=actor, reason="Better.")
    ModelVersion.objects.filter(pk=model_version.pk).update(available=False)
    with pytest.raises(RegistryError, match=r"mobilenet_v2 1\.0\.0 are not shipped .* Install them first"):
        roll_back(actor=actor, reason="Worse.")
    assert live_model_version() == newer


def test_a_shadow_stands_beside_the_live_version_until_it_is_stopped(
    model_version: ModelVersion, newer: ModelVersion, actor: Actor
) -> None:
    start_shadow(version=newer, actor=actor, reason="To compare for a month.")
    assert (live_model_version(), shadow_model_version()) == (model_version, newer)
    assert last_change() == (ChangeKind.SHADOW_START, newer, None)
    assert last_event(AuditAction.SHADOW_STARTED).detail["reason"] == "To compare for a month."
    assert stop_shadow(actor=actor, reason="The month is over.") == newer
    assert (live_model_version(), shadow_model_version()) == (model_version, None)
    assert last_change() == (ChangeKind.SHADOW_STOP, newer, None)
    assert last_event(AuditAction.SHADOW_STOPPED).detail["reason"] == "The month is over."


def test_a_shadow_that_is_promoted_is_no_shadow_any_more(newer: ModelVersion, actor: Actor) -> None:
    start_shadow(version=newer, actor=actor, reason="To compare.")
    promote(version=newer, actor=actor, reason="It was better.")
    assert (live_model_version(), shadow_model_version()) == (newer, None)


def test_the_live_version_cannot_be_its_own_shadow(model_version: ModelVersion, actor: Actor) -> None:
    with pytest.raises(RegistryError, match="is the default: a shadow is another version"):
        start_shadow(version=model_version, actor=actor, reason="To compare.")


def test_there_is_one_shadow_at_a_time(newer: ModelVersion, actor: Actor) -> None:
    start_shadow(version=newer, actor=actor, reason="To compare.")
    with pytest.raises(RegistryError, match=r"mobilenet_v2 2\.0\.0 runs as shadow already\. Stop it"):
        start_shadow(version=make_model_version(name="xception"), actor=actor, reason="To compare.")
    assert shadow_model_version() == newer


def test_without_a_shadow_there_is_none_to_stop(model_version: ModelVersion, actor: Actor) -> None:
    with pytest.raises(RegistryError, match="No version runs as shadow"):
        stop_shadow(actor=actor, reason="The month is over.")


def test_the_live_version_is_not_promoted_again(model_version: ModelVersion, actor: Actor) -> None:
    with pytest.raises(RegistryError, match="is the default already"):
        promote(version=model_version, actor=actor, reason="Better.")
    assert not ModelChange.objects.exists()


@pytest.mark.parametrize("act", [promote, start_shadow])
def test_a_version_whose_files_are_not_here_reads_nothing(model_version: ModelVersion, actor: Actor, act: Act) -> None:
    gone = make_model_version(version="0.9.0", available=False)
    with pytest.raises(RegistryError, match=r"mobilenet_v2 0\.9\.0 are not shipped .* Install them first"):
        act(version=gone, actor=actor, reason="Better.")
    assert (live_model_version(), shadow_model_version()) == (model_version, None)


@pytest.mark.parametrize("act", [promote, start_shadow])
def test_a_version_that_no_worker_could_load_reads_nothing(
    model_version: ModelVersion, newer: ModelVersion, actor: Actor, act: Act
) -> None:
    report_worker(name="reader-1", model_versions=[model_version], engine="openvino")
    with pytest.raises(RegistryError, match=r"No worker has mobilenet_v2 2\.0\.0 loaded\. Restart the workers"):
        act(version=newer, actor=actor, reason="Better.")
    report_worker(name="reader-1", model_versions=[model_version, newer], engine="openvino")
    act(version=newer, actor=actor, reason="Better.")
    assert ModelChange.objects.get().version == newer


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_every_change_needs_a_reason(newer: ModelVersion, actor: Actor, reason: str) -> None:
    other = make_model_version(name="xception")
    promote(version=newer, actor=actor, reason="Better.")
    for act in (partial(promote, version=other), roll_back, partial(start_shadow, version=other)):
        with pytest.raises(RegistryError, match="Say why"):
            act(actor=actor, reason=reason)
    assert (live_model_version(), shadow_model_version()) == (newer, None)
    start_shadow(version=other, actor=actor, reason="To compare.")
    with pytest.raises(RegistryError, match="Say why"):
        stop_shadow(actor=actor, reason=reason)
    assert shadow_model_version() == other
    assert ModelChange.objects.count() == 2


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE diagnoses_modelchange SET reason = 'Another one.'",
        "DELETE FROM diagnoses_modelchange",
        # Checked at once, or TRUNCATE is refused for what is still to be checked.
        "SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE diagnoses_modelchange",
    ],
)
def test_the_history_of_what_reads_cannot_be_rewritten(newer: ModelVersion, actor: Actor, sql: str) -> None:
    promote(version=newer, actor=actor, reason="Better.")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert ModelChange.objects.get().reason == "Better."


def test_only_administrators_choose_what_reads_and_only_clinicians_override(
    clinician: User, auditor: User, administrator: User
) -> None:
    assert [user.has_perm(MAY_PROMOTE) for user in (clinician, auditor, administrator)] == [False, False, True]
    assert [user.has_perm(MAY_OVERRIDE) for user in (clinician, auditor, administrator)] == [True, False, False]
    assert administrator.has_perm("diagnoses.view_modelchange")


def test_nothing_but_the_change_itself_is_put_on_record(newer: ModelVersion, actor: Actor) -> None:
    promote(version=newer, actor=actor, reason="Better.")
    changes = AuditEvent.objects.exclude(action=AuditAction.PERMISSIONS_CHANGED)
    assert changes.get().action == AuditAction.MODEL_PROMOTED
