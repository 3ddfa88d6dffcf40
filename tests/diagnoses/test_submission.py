"""Taking in what people send: each file on its own, all rows at once, the bell at the end."""

import json
import time
from datetime import date
from hashlib import sha256

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import DatabaseError
from pytest_django import DjangoCaptureOnCommitCallbacks

from diagnoses import queue, storage
from diagnoses.audit import user_actor
from diagnoses.models import Image, Job, ModelVersion, RejectedFile, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import Purpose
from diagnoses.models.registry import Standing
from diagnoses.selectors.originals import read_original
from diagnoses.services.receiving import SentFile
from diagnoses.services.registry import report_worker
from diagnoses.services.submission import StudyDetails, Submission, SubmissionError, submit_study
from diagnoses.states import JobStatus
from tests import pictures
from tests.diagnoses.conftest import Doorbell
from tests.diagnoses.factory import (
    PICTURE,
    broken_audit,
    last_event,
    make_model_version,
    sent,
    stored_files,
    unreadable,
)

OTHER_PICTURE = pictures.jpeg(pictures.phantom(seed=1))
NOT_A_PICTURE = b"Dear colleague, please find attached"


def submit(
    user: User, *files: SentFile, details: StudyDetails | None = None, model_version: ModelVersion | None = None
) -> Submission:
    actor = user_actor(user, "192.0.2.7")
    return submit_study(actor=actor, files=files, details=details or StudyDetails(), model_version=model_version)


def codes_of(submission: Submission) -> list[str | None]:
    return [answer.error.code if answer.error else None for answer in submission.answers]


def nothing_was_kept() -> bool:
    rows = Study.objects.exists() or Image.objects.exists() or Job.objects.exists() or RejectedFile.objects.exists()
    return not rows and not stored_files()


def test_a_sent_study_is_kept_with_all_that_was_said_of_it(clinician: User, model_version: ModelVersion) -> None:
    details = StudyDetails("P-1", "F", date(2020, 2, 29), "A-1", "Cough for\nthree days.")
    submission = submit(clinician, sent(), details=details)
    study = Study.objects.get()
    assert submission.study == study
    assert study.submitted_by == clinician
    assert StudyDetails(**{name: getattr(study, name) for name in vars(details)}) == details


def test_an_image_is_kept_byte_for_byte_with_its_facts(clinician: User, model_version: ModelVersion) -> None:
    submit(clinician, sent("scan.jpg", OTHER_PICTURE))
    image = Image.objects.get()
    assert read_original(image) == OTHER_PICTURE
    assert (image.filename, image.kind, image.width, image.height) == ("scan.jpg", "jpeg", 320, 280)
    assert (image.sha256, image.byte_size) == (sha256(OTHER_PICTURE).hexdigest(), len(OTHER_PICTURE))


def jobs_for(*fields: str) -> list[tuple[object, ...]]:
    return list(Job.objects.order_by("image__position", "purpose").values_list(*fields))


def test_each_image_gets_one_queued_job_for_the_live_model(clinician: User, model_version: ModelVersion) -> None:
    make_model_version(version="9.0.0")
    submit(clinician, sent(), sent(data=OTHER_PICTURE))
    jobs = jobs_for("status", "model_version", "purpose", "attempts", "token")
    assert jobs == [(JobStatus.QUEUED, model_version.pk, Purpose.PRIMARY, 0, 0)] * 2


def test_a_sender_may_choose_another_model(clinician: User, model_version: ModelVersion) -> None:
    chosen = make_model_version(name="xception")
    submit(clinician, sent(), model_version=chosen)
    assert jobs_for("model_version", "purpose") == [(chosen.pk, Purpose.PRIMARY)]
    assert last_event(AuditAction.STUDY_SUBMITTED).detail["model"] == "xception 2.0.0"


def test_a_model_that_is_gone_takes_no_study(clinician: User, model_version: ModelVersion) -> None:
    gone = make_model_version(version="0.9.0", available=False)
    with pytest.raises(SubmissionError, match=r"mobilenet_v2 0\.9\.0 cannot read on this site now\. Choose another"):
        submit(clinician, sent(), model_version=gone)
    assert nothing_was_kept()


def test_a_chosen_model_that_no_worker_could_load_takes_no_study_and_the_live_one_does(
    clinician: User, model_version: ModelVersion
) -> None:
    chosen, third = make_model_version(name="xception"), make_model_version(name="densenet121")
    report_worker(name="reader-1", model_versions=[third], engine="openvino")
    with pytest.raises(SubmissionError, match="cannot read on this site now"):
        submit(clinician, sent(), model_version=chosen)
    assert nothing_was_kept()
    assert submit(clinician, sent()).study


def test_where_a_shadow_stands_it_reads_each_image_too_and_the_sender_hears_nothing_of_it(
    clinician: User, model_version: ModelVersion
) -> None:
    shadow = make_model_version(name="xception", standing=Standing.SHADOW)
    submission = submit(clinician, sent(), sent(data=b""), sent(data=OTHER_PICTURE))
    assert jobs_for("model_version", "purpose") == [(model_version.pk, "primary"), (shadow.pk, "shadow")] * 2
    assert [answer.job.purpose if answer.job else None for answer in submission.answers] == ["primary", None, "primary"]
    assert "xception" not in str(last_event(AuditAction.STUDY_SUBMITTED).detail)


def test_a_shadow_that_is_chosen_reads_in_the_open_and_once(clinician: User, model_version: ModelVersion) -> None:
    shadow = make_model_version(name="xception", standing=Standing.SHADOW)
    submit(clinician, sent(), model_version=shadow)
    assert jobs_for("model_version", "purpose") == [(shadow.pk, "primary")]


def test_the_answers_come_in_the_order_sent(clinician: User, model_version: ModelVersion) -> None:
    files = [sent("1.png"), sent("2.txt", NOT_A_PICTURE), sent("3.jpg", OTHER_PICTURE), sent("4.png", b"")]
    submission = submit(clinician, *files)
    assert [answer.filename for answer in submission.answers] == ["1.png", "2.txt", "3.jpg", "4.png"]
    assert codes_of(submission) == [None, "unsupported_type", None, "empty_file"]
    jobs = [answer.job.image.filename if answer.job else None for answer in submission.answers]
    assert jobs == ["1.png", None, "3.jpg", None]


def test_a_bad_file_spoils_no_good_one(clinician: User, model_version: ModelVersion) -> None:
    submit(clinician, sent("1.png", PICTURE[:200]), sent("2.png"), sent("3.txt", NOT_A_PICTURE))
    assert [(image.position, image.filename) for image in Image.objects.all()] == [(1, "2.png")]
    assert [(row.position, row.filename, row.code) for row in RejectedFile.objects.all()] == [
        (0, "1.png", "damaged"),
        (2, "3.txt", "unsupported_type"),
    ]
    assert len(stored_files()) == 1


def test_a_refused_file_is_told_what_to_do(clinician: User, model_version: ModelVersion) -> None:
    [answer] = submit(clinician, sent(data=NOT_A_PICTURE)).answers
    assert answer.error
    assert answer.error.message.startswith("This is no PNG, JPEG or DICOM file")


def test_nothing_is_kept_where_no_file_is_usable(
    clinician: User,
    model_version: ModelVersion,
    doorbell: Doorbell,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        submission = submit(clinician, sent(data=b""), sent(data=NOT_A_PICTURE))
    assert submission.study is None
    assert codes_of(submission) == ["empty_file", "unsupported_type"]
    assert nothing_was_kept()
    assert doorbell.rings() == 0


def test_an_upload_of_which_nothing_is_usable_is_on_record(clinician: User, model_version: ModelVersion) -> None:
    submit(clinician, sent(data=b""), sent(data=NOT_A_PICTURE))
    event = last_event(AuditAction.UPLOAD_REFUSED)
    assert (event.actor_name, event.address) == ("clinician", "192.0.2.7")
    assert event.detail == {"rejected": ["empty_file", "unsupported_type"]}


def test_a_submission_is_on_record_with_its_images(clinician: User, model_version: ModelVersion) -> None:
    submission = submit(clinician, sent(), sent(data=b""))
    event = last_event(AuditAction.STUDY_SUBMITTED)
    assert submission.study
    assert (event.object_type, event.object_id) == ("study", str(submission.study.pk))
    assert event.detail == {
        "images": [str(Image.objects.get().pk)],
        "rejected": ["empty_file"],
        "model": "mobilenet_v2 1.0.0",
    }


def test_too_many_files_are_refused_unread_with_both_numbers(
    clinician: User, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_MAX_FILES = 2
    files = [unreadable(AssertionError("this file was read"))] * 3
    with pytest.raises(SubmissionError, match="3 files were sent; at most 2"):
        submit(clinician, *files)
    assert nothing_was_kept()


def test_as_many_files_as_are_allowed_are_taken(
    clinician: User, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_MAX_FILES = 2
    assert codes_of(submit(clinician, sent(), sent())) == [None, None]


def test_sending_no_file_is_refused(clinician: User, model_version: ModelVersion) -> None:
    with pytest.raises(SubmissionError, match="No file was sent"):
        submit(clinician)


def test_a_site_without_a_model_refuses_and_keeps_nothing(clinician: User) -> None:
    with pytest.raises(SubmissionError, match="No model is registered"):
        submit(clinician, sent())
    assert nothing_was_kept()


def test_a_file_that_says_it_is_too_large_is_refused_unread(
    clinician: User, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_MAX_FILE_BYTES = 1024 * 1024
    huge = SentFile("huge.dcm", 2 * 1024 * 1024, unreadable(AssertionError("this file was read")).read)
    assert codes_of(submit(clinician, huge, sent())) == ["too_large", None]


def test_a_file_that_lies_about_its_size_is_refused_all_the_same(
    clinician: User, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_MAX_FILE_BYTES = len(PICTURE) - 1
    assert codes_of(submit(clinician, SentFile("chest.png", 1, lambda: PICTURE))) == ["too_large"]


def test_a_full_disk_costs_only_the_file_that_it_hits(
    clinician: User, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, is_full = storage.write, iter([False, True, False])

    def write(name: str, data: bytes) -> None:
        if next(is_full):
            raise OSError(28, "No space left on device")
        real(name, data)

    monkeypatch.setattr(storage, "write", write)
    submission = submit(clinician, sent("1.png"), sent("2.jpg", OTHER_PICTURE), sent("3.png"))
    assert codes_of(submission) == [None, "storage_unavailable", None]
    assert [image.filename for image in Image.objects.all()] == ["1.png", "3.png"]
    assert "Send it again as a new study" in RejectedFile.objects.get().message


def test_a_file_that_does_not_arrive_costs_only_itself(clinician: User, model_version: ModelVersion) -> None:
    submission = submit(clinician, unreadable(OSError("the temporary file is gone")), sent())
    assert codes_of(submission) == ["storage_unavailable", None]


def test_no_row_and_no_file_stays_when_the_commit_fails(clinician: User, model_version: ModelVersion) -> None:
    with broken_audit():
        with pytest.raises(DatabaseError, match="append-only"):
            submit(clinician, sent(), sent())
        assert nothing_was_kept()


def test_no_file_stays_when_a_later_one_meets_a_fault_of_ours(clinician: User, model_version: ModelVersion) -> None:
    with pytest.raises(MemoryError):
        submit(clinician, sent(), unreadable(MemoryError()))
    assert nothing_was_kept()


def test_the_bell_is_rung_after_the_commit_and_once_for_all_files(
    clinician: User,
    model_version: ModelVersion,
    doorbell: Doorbell,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        submit(clinician, sent(), sent(), sent())
        assert doorbell.rings() == 0
    assert doorbell.rings() == 1


def test_the_bells_message_says_nothing_of_the_patient(
    clinician: User,
    model_version: ModelVersion,
    doorbell: Doorbell,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        submission = submit(clinician, sent("name-of-patient.png"), details=StudyDetails(patient_id="P-1234"))
    message = doorbell.message()
    assert message.headers["task"] == queue.DRAIN
    assert json.loads(message.body)[:2] == [[], {}]
    text = f"{message.headers} {message.body!r} {message.properties}"
    assert submission.study
    for secret in ("P-1234", "name-of-patient", str(submission.study.pk), "clinician"):
        assert secret not in text


def test_a_ring_that_was_heard_says_so(doorbell: Doorbell) -> None:
    assert queue.ring() is True
    assert doorbell.rings() == 1


@pytest.mark.usefixtures("dead_broker")
def test_a_ring_that_cannot_be_sent_says_so_and_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert queue.ring() is False
    assert "The doorbell is out of reach" in caplog.text


@pytest.mark.usefixtures("dead_broker")
def test_a_broker_that_is_away_neither_fails_an_upload_nor_holds_it_up(
    clinician: User, model_version: ModelVersion, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    started = time.monotonic()
    with django_capture_on_commit_callbacks(execute=True):
        submission = submit(clinician, sent())
    assert submission.study == Study.objects.get()
    assert Job.objects.get().status == JobStatus.QUEUED
    assert len(stored_files()) == 1
    assert time.monotonic() - started < 4


def test_a_bell_that_breaks_in_a_way_nobody_thought_of_never_fails_an_upload(
    clinician: User,
    model_version: ModelVersion,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ring() -> bool:
        raise RuntimeError("out of threads")

    monkeypatch.setattr(queue, "ring", ring)
    with django_capture_on_commit_callbacks(execute=True):
        submission = submit(clinician, sent())
    assert submission.study == Study.objects.get()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("che\0st\n\t\x1b[31m.png", "chest[31m.png"),
        ("\u202egnp.tsehc", "gnp.tsehc"),
        ("phổi trái.png", "phổi trái.png"),
        ("x" * 300 + ".png", "x" * 251 + ".png"),
        ("\0\r\n", "unnamed"),
        ("", "unnamed"),
        ("broken\udcff.png", "broken.png"),
    ],
)
def test_a_files_name_is_shown_without_what_could_do_harm(
    clinician: User, model_version: ModelVersion, name: str, shown: str
) -> None:
    submission = submit(clinician, sent(name), sent(name, NOT_A_PICTURE))
    assert [answer.filename for answer in submission.answers] == [shown, shown]
    assert Image.objects.get().filename == shown
    assert RejectedFile.objects.get().filename == shown


def test_a_picture_that_another_user_sent_before_is_read_anew_and_shows_nothing_of_theirs(
    clinician: User, outsider: User, model_version: ModelVersion
) -> None:
    first = submit(clinician, sent("theirs.png"), details=StudyDetails(patient_id="P-theirs"))
    second = submit(outsider, sent("mine.png"))
    assert first.study
    assert second.study
    assert second.study.pk != first.study.pk
    assert (second.study.patient_id, second.study.submitted_by) == ("", outsider)
    [answer] = second.answers
    assert answer.job
    assert answer.job.status == JobStatus.QUEUED
    assert answer.job.image.stored_name != Image.objects.get(study=first.study).stored_name


def test_the_same_picture_twice_in_one_study_is_two_images(clinician: User, model_version: ModelVersion) -> None:
    submit(clinician, sent(), sent())
    assert list(Image.objects.values_list("position", flat=True)) == [0, 1]
    assert Job.objects.count() == 2
