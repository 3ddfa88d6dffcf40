"""Exports: asked for within limits, one worker's at a time, and their owner's alone to the end."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models.functions import Now
from django.urls import reverse

from diagnoses import storage
from diagnoses.audit import user_actor
from diagnoses.models import AuditEvent, Export, ModelVersion, Notification, PauseChange
from diagnoses.models.audit import AuditAction
from diagnoses.models.export import ExportFault, ExportStatus
from diagnoses.sealing import new_key
from diagnoses.selectors.exports import exports_of, filter_of, matching_studies, stored_filter
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.services import exporting
from diagnoses.services.exporting import ExportClaim, claim_export
from diagnoses.states import JobStatus
from diagnoses.views.notices import ShownNotice
from tests.diagnoses.factory import last_event, make_export, make_study, stored_files

EVERYTHING = HistoryFilter()


def asked(user: User, wanted: HistoryFilter = EVERYTHING, query: str = "") -> Export:
    return exporting.request_export(actor=user_actor(user), user=user, query=query, wanted=wanted)


def claimed() -> ExportClaim:
    claim = claim_export()
    assert claim
    return claim


def status_of(export: Export) -> tuple[str, str]:
    export.refresh_from_db()
    return export.status, export.error_code


@pytest.fixture
def export(clinician: User, model_version: ModelVersion) -> Export:
    """One that waits."""
    make_study(clinician, model_version, JobStatus.DONE)
    return asked(clinician)


def test_what_is_asked_for_waits_and_is_on_record_with_its_filter(clinician: User, model_version: ModelVersion) -> None:
    make_study(clinician, model_version, JobStatus.DONE, JobStatus.DONE, patient_id="P-1")
    make_study(clinician, model_version, JobStatus.DONE, patient_id="P-2")
    export = asked(clinician, HistoryFilter(patient_id="P-1"), "patient_id=P-1")
    assert (export.status, export.total, list(export.wanted)) == ("queued", 1, ["find"])
    assert last_event(AuditAction.EXPORT_REQUESTED).detail == {"filter": {"patient_id": "yes"}, "studies": 1}


def test_a_filter_comes_out_of_its_row_as_it_went_in() -> None:
    wanted = HistoryFilter(search="ho", indeterminate=True, since=date(2026, 3, 1), until=date(2026, 4, 1), sex="F")
    assert filter_of(7, stored_filter(7, wanted)) == wanted
    assert "ho" not in str(stored_filter(7, wanted))


def test_another_users_cases_are_nothing_to_export(outsider: User, export: Export) -> None:
    with pytest.raises(exporting.NothingToExportError):
        asked(outsider)


def test_more_studies_than_the_site_allows_are_not_exported(
    clinician: User, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_EXPORT_CASES = 2
    for _ in range(2):
        make_study(clinician, model_version, JobStatus.DONE, JobStatus.DONE)
    assert asked(clinician).total == 2
    make_study(clinician, model_version, JobStatus.DONE)
    with pytest.raises(exporting.TooManyCasesError):
        asked(clinician)


def test_nobody_has_more_than_a_few_in_progress(clinician: User, export: Export) -> None:
    for _ in range(exporting.MOST_AT_ONCE - 1):
        asked(clinician)
    with pytest.raises(exporting.TooManyExportsError):
        asked(clinician)
    Export.objects.update(status=ExportStatus.DONE)
    asked(clinician)


def test_the_one_that_has_waited_longest_is_claimed_first_and_once(clinician: User, export: Export) -> None:
    second = asked(clinician)
    Export.objects.filter(pk=second.pk).update(created_at=Now() + timedelta(seconds=1))
    assert claimed() == ExportClaim(export.pk, 1)
    assert claimed() == ExportClaim(second.pk, 1)
    assert claim_export() is None


def test_a_worker_whose_lease_is_over_writes_nothing_any_more(export: Export) -> None:
    old = claimed()
    Export.objects.update(lease_until=Now() - timedelta(seconds=1))
    new = claimed()
    assert new == ExportClaim(export.pk, old.token + 1)
    assert not exporting.note_progress(claim=old, packed=7)
    storage.write("exports/ab/old", b"old")
    assert not exporting.finish_export(claim=old, stored_name="exports/ab/old", byte_size=3, key=new_key())
    exporting.fail_export(claim=old, fault=ExportFault.STORAGE)
    exporting.give_back_export(claim=old)
    assert stored_files() == [path for path in stored_files() if "originals" in str(path)]
    assert status_of(export) == ("running", "")
    assert exporting.note_progress(claim=new, packed=1)


def test_a_lease_goes_on_with_each_sign_of_the_worker(export: Export) -> None:
    claim = claimed()
    Export.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert exporting.note_progress(claim=claim, packed=1)
    assert claim_export() is None


def test_an_export_that_took_its_workers_down_is_given_up(export: Export, settings: LazySettings) -> None:
    for _ in range(settings.CXR_MAX_ATTEMPTS):
        claimed()
        Export.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert claim_export() is None
    assert status_of(export) == ("failed", ExportFault.WORKER_LOST)


def test_a_worker_that_ends_in_order_gives_it_back_without_a_trace(export: Export, settings: LazySettings) -> None:
    for _ in range(settings.CXR_MAX_ATTEMPTS + 1):
        exporting.give_back_export(claim=claimed())
    assert status_of(export) == ("queued", "")


def test_the_export_of_an_account_that_was_switched_off_is_not_built(clinician: User, export: Export) -> None:
    User.objects.filter(pk=clinician.pk).update(is_active=False)
    assert claim_export() is None
    assert status_of(export) == ("failed", ExportFault.SWITCHED_OFF)
    clinician.refresh_from_db()
    assert not exports_of(clinician).exists()


def test_its_owner_is_told_once_that_it_is_ready(clinician: User, export: Export) -> None:
    claim = claimed()
    assert exporting.finish_export(claim=claim, stored_name="exports/ab/new", byte_size=3, key=new_key())
    assert not exporting.finish_export(claim=claim, stored_name="exports/ab/other", byte_size=3, key=new_key())
    notice = Notification.objects.get()
    assert (notice.user, notice.kind, notice.about) == (clinician, "export_done", str(export.pk))
    export.refresh_from_db()
    assert (export.status, export.packed, export.stored_name) == ("done", export.total, "exports/ab/new")


def test_a_cancelled_one_is_gone_with_its_file(clinician: User) -> None:
    export = make_export(clinician)
    exporting.cancel_export(actor=user_actor(clinician), export=export)
    assert not Export.objects.exists()
    assert stored_files() == []


def test_a_cancelled_one_is_on_record_once(clinician: User) -> None:
    export = make_export(clinician, query="patient_id=P-1")
    for _ in range(2):
        exporting.cancel_export(actor=user_actor(clinician), export=export)
    event = AuditEvent.objects.get(action=AuditAction.EXPORT_CANCELLED)
    assert (event.actor_name, event.object_id) == ("clinician", str(export.pk))
    assert event.detail == {"filter": {"patient_id": "yes"}, "studies": 1, "status": "done"}


def test_only_a_failed_one_is_tried_again_and_that_is_on_record(clinician: User, export: Export) -> None:
    actor = user_actor(clinician)
    assert not exporting.retry_export(actor=actor, export=export)
    exporting.fail_export(claim=claimed(), fault=ExportFault.STORAGE)
    assert exporting.retry_export(actor=actor, export=export)
    assert not exporting.retry_export(actor=actor, export=export)
    assert status_of(export) == ("queued", "")
    assert AuditEvent.objects.filter(action=AuditAction.EXPORT_REQUESTED).count() == 2
    assert last_event(AuditAction.EXPORT_REQUESTED).detail == {"filter": {}, "studies": 1, "retried": True}


def test_trying_again_is_no_way_to_have_more_in_progress(clinician: User, export: Export) -> None:
    exporting.fail_export(claim=claimed(), fault=ExportFault.STORAGE)
    for _ in range(exporting.MOST_AT_ONCE):
        asked(clinician)
    with pytest.raises(exporting.TooManyExportsError):
        exporting.retry_export(actor=user_actor(clinician), export=export)
    assert status_of(export) == ("failed", ExportFault.STORAGE)


def test_its_owner_is_told_of_each_failure_and_of_none_that_is_tried_again(clinician: User, export: Export) -> None:
    for _ in range(2):
        exporting.fail_export(claim=claimed(), fault=ExportFault.STORAGE)
        notice = Notification.objects.get()
        assert (notice.user, notice.kind, notice.about) == (clinician, "export_failed", str(export.pk))
        assert ShownNotice(notice).address == reverse("exports")
        exporting.retry_export(actor=user_actor(clinician), export=export)
        assert not Notification.objects.exists()


def test_its_owner_is_told_of_one_that_took_its_workers_down(clinician: User, export: Export) -> None:
    Export.objects.update(attempts=99)
    assert claim_export() is None
    assert Notification.objects.get().kind == "export_failed"


def test_studies_are_counted_no_further_than_is_asked(clinician: User, model_version: ModelVersion) -> None:
    for _ in range(3):
        make_study(clinician, model_version, JobStatus.DONE)
    outside, within = len(connection.savepoint_ids), []

    def look(execute: Any, sql: str, *said: Any) -> Any:
        if sql.startswith("SELECT") and '"diagnoses_job"' in sql:
            within.append(len(connection.savepoint_ids))
        return execute(sql, *said)

    with connection.execute_wrapper(look):
        assert len(matching_studies(clinician, EVERYTHING, 2)) == 2
    # Only within a transaction of its own does the database stop where its reader does.
    assert within == [outside + 1]


def test_what_was_kept_for_its_days_goes_and_what_is_younger_stays(clinician: User, settings: LazySettings) -> None:
    days = timedelta(days=settings.CXR_EXPORT_DAYS)
    old = make_export(clinician, ended_at=Now() - days - timedelta(minutes=1))
    young = make_export(clinician, ended_at=Now() - days + timedelta(minutes=1))
    waiting = make_export(clinician, ended_at=None, status=ExportStatus.QUEUED, stored_name="")
    assert exporting.remove_expired_exports() == 1
    assert set(Export.objects.all()) == {young, waiting}
    assert str(old.stored_name) not in {str(path) for path in stored_files()}


def test_reading_comes_first_but_for_a_pause_and_for_models_that_are_not_here(
    clinician: User, model_version: ModelVersion, xception: ModelVersion
) -> None:
    assert not exporting.reading_comes_first([model_version])
    make_study(clinician, model_version, JobStatus.QUEUED)
    assert exporting.reading_comes_first([model_version])
    assert not exporting.reading_comes_first([xception])
    PauseChange.objects.create(paused=True, by="administrator", reason="A test")
    assert not exporting.reading_comes_first([model_version])
    PauseChange.objects.create(paused=False, by="administrator", reason="It is over")
    assert exporting.reading_comes_first([model_version])
