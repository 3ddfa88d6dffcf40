"""A patient is forgotten for good, and so is what was kept for long enough; keys change without losing anything."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cxrsite.env import DataKeys
from diagnoses import sealing, storage
from diagnoses.audit import Actor
from diagnoses.models import AuditEvent, Export, Image, Job, ModelVersion, Patient, Reading, Result, SavedView, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.export import ExportStatus
from diagnoses.searching import opened_search, sealed_search
from diagnoses.selectors.files import held_names, images_without_file
from diagnoses.selectors.history import find_jobs
from diagnoses.selectors.originals import read_original
from diagnoses.selectors.patients import find_patient
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.services.erasing import FilesLeftError, NoSuchPatientError, erase_again, erase_patient, purge_studies
from diagnoses.services.key_rotation import rotate_keys
from diagnoses.services.retrying import override_refusal, retry_job
from diagnoses.services.saved_views import save_view
from diagnoses.states import JobStatus
from tests.diagnoses.factory import make_export, make_job, make_reading, make_study, row, stored_files

WHO = Actor(None, "terminal")


@pytest.fixture
def study(clinician: User, model_version: ModelVersion) -> Study:
    """One that is read and signed, of a patient with an older one."""
    said = {
        "patient_id": "P-1",
        "accession_number": "ACC-9",
        "clinical_note": "Nguyen",
        "patient_birth_date": "2020-02-03",
    }
    make_study(clinician, model_version, JobStatus.DONE, patient_id="P-1")
    study = make_study(clinician, model_version, JobStatus.DONE, **said)
    make_reading(study.images.get(), clinician, text="Nguyen is ill.")
    return Study.objects.get(pk=study.pk)


def assert_forgotten(study: Study) -> None:
    study = Study.objects.get(pk=study.pk)
    image = study.images.get()
    assert study.is_erased
    assert (study.patient_id, study.clinical_note, study.patient_birth_date) == ("erased", "erased", None)
    assert (image.filename, image.words, image.file_key) == ("erased", [], None)
    assert (image.readings.get().text, image.jobs.get().words) == ("erased", [])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT length(patient_id) + length(clinical_note) FROM diagnoses_study WHERE id = %s", [study.pk]
        )
        assert cursor.fetchone() == (0,)
    with pytest.raises(FileNotFoundError):
        storage.read(image.stored_name)


def test_an_erased_patient_is_gone_and_the_answers_stay(study: Study, clinician: User) -> None:
    pseudonym, studies = erase_patient(actor=WHO, patient_id=" p-1", reason="At their wish")
    assert (pseudonym, studies) == (study.subject_id, 2)
    patient = Patient.objects.get(pk=pseudonym)
    assert (patient.sealed_key, patient.key_version, patient.index) == (None, None, None)
    assert patient.erased_at
    assert_forgotten(study)
    assert not stored_files()
    assert images_without_file() == []
    assert Result.objects.count() == 2
    assert find_patient("P-1") is None
    assert not find_jobs(clinician, HistoryFilter(search="nguyen"))
    event = AuditEvent.objects.get(action=AuditAction.PATIENT_ERASED)
    assert (event.object_id, event.detail) == (str(pseudonym), {"reason": "At their wish", "studies": 2})


def test_no_words_of_a_retry_or_an_override_outlive_the_patient(study: Study, model_version: ModelVersion) -> None:
    refused: dict[str, Any] = {"error_code": "not_frontal", "error_message": "Refused."}
    overridden, retried = (make_job(study, model_version, JobStatus.REFUSED, **refused) for _ in range(2))
    assert override_refusal(job=overridden, actor=WHO, reason="Tran lay down.")
    assert retry_job(job=retried, actor=WHO, reason="Tran was there again.")
    erase_patient(actor=WHO, patient_id="P-1", reason="x")
    with connection.cursor() as cursor:
        for table in ("job", "jobtransition", "auditevent", "auditlink", "result", "image", "study"):
            cursor.execute(f"SELECT count(*) FROM diagnoses_{table} t WHERE t::text LIKE '%Tran %'")
            assert cursor.fetchone() == (0,), table
    assert [row(job)["status"] for job in (overridden, retried)] == [JobStatus.QUEUED] * 2


def test_the_pages_say_of_an_erased_study_that_it_is(study: Study, browser: Client) -> None:
    erase_patient(actor=WHO, patient_id="P-1", reason="x")
    for name in ("study", "report"):
        page = browser.get(reverse(name, args=[study.pk])).content.decode()
        assert "erased" in page
        assert "Nguyen" not in page
    assert "This patient was erased" in browser.get(reverse("study", args=[study.pk])).content.decode()
    for name in ("history", "worklist"):
        assert browser.get(reverse(name)).status_code == 200
    assert browser.get(reverse("picture", args=[study.images.get().pk])).status_code == 404


def test_who_comes_again_after_being_erased_is_a_new_patient(study: Study, model_version: ModelVersion) -> None:
    erase_patient(actor=WHO, patient_id="P-1", reason="x")
    again = make_study(study.submitted_by, model_version, patient_id="P-1")
    assert again.subject != study.subject
    assert Study.objects.get(pk=again.pk).patient_id == "P-1"


def test_exports_that_may_hold_the_patient_and_searches_go_along(study: Study, clinician: User) -> None:
    make_export(clinician, oldest_study_at=study.created_at)
    save_view(user=clinician, page="history", name="him", query="patient_id=P-1")
    save_view(user=clinician, page="history", name="ill", query="label=PNEUMONIA")
    erase_patient(actor=WHO, patient_id="P-1", reason="x")
    assert not Export.objects.exists()
    assert not stored_files()
    assert [view.name for view in SavedView.objects.all()] == ["ill"]


def test_exports_that_can_hold_a_purged_study_go_and_younger_and_earlier_ones_stay(study: Study) -> None:
    sent, owner = timezone.now() - timedelta(days=31), study.submitted_by
    Study.objects.filter(pk=study.pk).update(created_at=sent)
    hour = timedelta(hours=1)
    younger = make_export(owner, oldest_study_at=sent + hour)
    earlier = make_export(owner, oldest_study_at=sent - 2 * hour, ended_at=sent - hour)
    waiting = Export.objects.create(user=owner)
    make_export(owner, oldest_study_at=sent)
    Export.objects.create(user=owner, status=ExportStatus.RUNNING, oldest_study_at=sent - hour)
    assert purge_studies(actor=WHO, days=30) == 1
    assert set(Export.objects.all()) == {younger, earlier, waiting}
    kept = study.subject.studies.get().images.get().stored_name
    assert {file.name for file in storage.listing()} == {kept, younger.stored_name, earlier.stored_name}


def test_an_export_that_was_asked_for_before_the_patient_came_and_packed_after_goes_too(study: Study) -> None:
    before = study.subject.created_at - timedelta(days=1)
    make_export(study.submitted_by, oldest_study_at=before, created_at=before)
    erase_patient(actor=WHO, patient_id="P-1", reason="x")
    assert not Export.objects.exists()


def test_an_export_that_is_begun_while_the_patient_is_erased_goes_too(
    study: Study, clinician: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pack(studies: Any) -> None:
        make_export(clinician, oldest_study_at=study.created_at)

    monkeypatch.setattr("diagnoses.services.erasing.notices.tell", pack)
    erase_patient(actor=WHO, patient_id="P-1", reason="x")
    assert not Export.objects.exists()
    assert not stored_files()


def test_files_that_storage_does_not_let_go_are_named_and_swept_and_the_others_go(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = study.images.get().stored_name
    remove = storage.remove

    def remove_others(name: str) -> None:
        if name == stuck:
            raise OSError("stuck")
        remove(name)

    with monkeypatch.context() as patched:
        patched.setattr(storage, "remove", remove_others)
        with pytest.raises(FilesLeftError, match=r"1 files could not be removed yet \(stuck\)"):
            erase_patient(actor=WHO, patient_id="P-1", reason="x")
    assert [file.name for file in storage.listing()] == [stuck]
    assert find_patient("P-1") is None
    assert Study.objects.get(pk=study.pk).is_erased
    assert stuck not in held_names([stuck])


def test_no_file_goes_where_erasing_is_undone(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    files = stored_files()

    def broken(studies: Any) -> None:
        raise DatabaseError("broken")

    monkeypatch.setattr("diagnoses.services.erasing.notices.tell", broken)
    with pytest.raises(DatabaseError, match="broken"):
        erase_patient(actor=WHO, patient_id="P-1", reason="x")
    assert stored_files() == files
    assert find_patient("P-1")


def test_who_is_not_known_cannot_be_erased(db: None) -> None:
    for patient_id in ("P-1", ""):
        with pytest.raises(NoSuchPatientError):
            erase_patient(actor=WHO, patient_id=patient_id, reason="x")
    with pytest.raises(CommandError, match="No patient has this ID"):
        call_command("erase_patient", "P-1", "--reason", "x")


def test_what_was_kept_for_long_enough_is_nobodys_and_the_rest_stays(study: Study) -> None:
    Study.objects.filter(pk=study.pk).update(created_at=timezone.now() - timedelta(days=31))
    assert purge_studies(actor=WHO, days=30) == 1
    assert purge_studies(actor=WHO, days=30) == 0
    assert_forgotten(study)
    assert Study.objects.get(pk=study.pk).subject_id != study.subject_id
    kept = Study.objects.exclude(pk=study.pk).get()
    assert (kept.patient_id, kept.subject_id) == ("P-1", study.subject_id)
    event = AuditEvent.objects.get(action=AuditAction.STUDIES_PURGED)
    assert (event.object_id, event.detail) == (str(study.pk), {"patient": str(study.subject_id), "days": 30})


def test_with_the_last_of_their_studies_a_patients_key_goes(study: Study) -> None:
    Study.objects.update(created_at=timezone.now() - timedelta(days=31))
    call_command("purge", "--days", "30", stdout=None)
    assert Patient.objects.exclude(sealed_key=None).count() == 0
    assert Image.objects.exclude(words=[]).count() == Job.objects.exclude(words=[]).count() == 0


def test_searches_for_who_is_gone_by_time_go_along_and_the_others_stay(study: Study, clinician: User) -> None:
    make_study(clinician, study.images.get().jobs.get().model_version, patient_id="P-2")
    for name, query in {"his": "patient_id=p-1", "words": "search=P-1", "her": "patient_id=P-2", "all": ""}.items():
        save_view(user=clinician, page="history", name=name, query=query)

    def purge_with(*studies: Study) -> set[str]:
        old = Study.objects.filter(pk__in=[each.pk for each in studies])
        old.update(created_at=timezone.now() - timedelta(days=31))
        purge_studies(actor=WHO, days=30)
        return set(SavedView.objects.values_list("name", flat=True))

    assert purge_with(study) == {"his", "words", "her", "all"}, "another of the patient's studies is there still"
    assert purge_with(*study.subject.studies.all()) == {"her", "all"}


def test_searches_that_a_restored_copy_brings_back_name_nobody(study: Study, clinician: User) -> None:
    save_view(user=clinician, page="history", name="him", query="patient_id=P-1")
    save_view(user=clinician, page="history", name="ill", query="label=PNEUMONIA")
    erase_again()
    assert SavedView.objects.count() == 2, "nobody was erased"
    Patient.objects.filter(pk=study.subject_id).update(erased_at=timezone.now(), sealed_key=None, key_version=None)
    erase_again()
    assert [view.name for view in SavedView.objects.all()] == ["ill"]


def test_what_a_restored_copy_brings_back_of_the_erased_is_emptied_again_and_nobody_elses(study: Study) -> None:
    other = make_study(
        study.submitted_by, study.images.get().jobs.get().model_version, JobStatus.DONE, patient_id="P-2"
    )
    kept, image = other.images.get(), study.images.get()
    words = kept.words
    storage.write(image.stored_name, b"in clear")
    overridden = {"override_code": "no_chest", "override_by": "clinician", "override_at": timezone.now()}
    Job.objects.update(override_reason="Nguyen wants it", **overridden)
    Image.objects.filter(pk=image.pk).update(file_key=None)
    Patient.objects.filter(pk=study.subject_id).update(erased_at=timezone.now(), sealed_key=None, key_version=None)
    assert erase_again() == 2
    again = Image.objects.get(pk=image.pk)
    assert (again.words, again.jobs.get().override_reason) == ([], "erased")
    with pytest.raises(FileNotFoundError, match="erased"):
        read_original(again)
    kept.refresh_from_db()
    assert (kept.words, kept.jobs.get().override_reason) == (words, "Nguyen wants it")
    assert words


def test_without_a_time_to_keep_nothing_is_purged(db: None) -> None:
    with pytest.raises(CommandError, match="CXR_RETENTION_DAYS"):
        call_command("purge")


@pytest.mark.parametrize("changes", ["text = 'x'", "text = '', finding = 'NORMAL'", "finding = 'NORMAL'"])
def test_a_signed_reading_may_be_emptied_and_nothing_else(study: Study, changes: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE diagnoses_reading SET {changes}")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM diagnoses_reading")
    assert Reading.objects.get().text == "Nguyen is ill."


def test_keys_are_changed_and_all_opens_with_the_new_one_alone(
    study: Study, clinician: User, settings: LazySettings
) -> None:
    old: Any = settings.CXR_DATA_KEYS
    view = save_view(user=clinician, page="history", name="him", query="patient_id=P-1")
    export = make_export(clinician, b"packed")
    settings.CXR_DATA_KEYS = DataKeys({**old.sealing, 2: sealing.new_key()}, old.index)
    assert rotate_keys(actor=WHO) == 1
    assert rotate_keys(actor=WHO) == 0
    settings.CXR_DATA_KEYS = DataKeys({2: settings.CXR_DATA_KEYS.sealing[2]}, old.index)
    assert Study.objects.get(pk=study.pk).clinical_note == "Nguyen"
    assert find_patient("P-1") == study.subject
    export.refresh_from_db()
    assert len(export.key) == sealing.KEY_BYTES
    client = Client()
    client.force_login(clinician)
    view.refresh_from_db()
    assert client.get(f"{reverse('history')}?{view.query}").status_code == 200
    settings.CXR_DATA_KEYS = DataKeys(old.sealing, old.index)
    with pytest.raises(sealing.SealError, match="lacks version 2"):
        _ = Study.objects.get(pk=study.pk).clinical_note


def test_a_search_that_does_not_open_stays_as_it_was_and_keys_are_changed_all_the_same(
    clinician: User, settings: LazySettings
) -> None:
    old: Any = settings.CXR_DATA_KEYS
    good = sealed_search(clinician.pk, {"search": "Nguyen"})
    exports = {find: make_export(clinician, query=f"find={find}", wanted={"find": find}) for find in ("AAAA", good)}
    settings.CXR_DATA_KEYS = DataKeys({**old.sealing, 2: sealing.new_key()}, old.index)
    rotate_keys(actor=WHO)
    for export in exports.values():
        export.refresh_from_db()
    assert (exports["AAAA"].query, exports["AAAA"].wanted) == ("find=AAAA", {"find": "AAAA"})
    settings.CXR_DATA_KEYS = DataKeys({2: settings.CXR_DATA_KEYS.sealing[2]}, old.index)
    assert opened_search(clinician.pk, exports[good].wanted["find"]) == {"search": "Nguyen"}
    assert all(len(export.key) == sealing.KEY_BYTES for export in exports.values())
