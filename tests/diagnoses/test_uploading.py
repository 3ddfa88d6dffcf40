"""Files that come one at a time: each is kept once, in its study, whatever is sent again."""

import uuid
from datetime import date
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from diagnoses.audit import Actor, user_actor
from diagnoses.models import AuditEvent, Image, Job, ModelVersion, RejectedFile, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import Purpose
from diagnoses.models.registry import Standing
from diagnoses.selectors.originals import read_original
from diagnoses.services.erasing import erase_patient
from diagnoses.services.receiving import SentFile
from diagnoses.services.registry import report_worker
from diagnoses.services.submission import KeyReusedError, QueueFullError, StudyDetails, SubmissionError, submit_study
from diagnoses.services.uploading import StorageError, StudySent, Uploaded, upload_file
from tests.diagnoses.conftest import Doorbell
from tests.diagnoses.factory import (
    PICTURE,
    PICTURE_SHA256,
    broken_audit,
    last_event,
    make_model_version,
    queries_of,
    sent,
    stored_files,
    unreadable,
)

pytestmark = pytest.mark.usefixtures("model_version")

BATCH = uuid.uuid4()
STUDY = StudySent("study-1", StudyDetails(patient_id="P-1", urgent=True), BATCH)


def upload(user: User, file: SentFile | None = None, key: uuid.UUID | None = None, **changed: Any) -> Uploaded:
    arguments: dict[str, Any] = {"study": STUDY, "upload_key": key or uuid.uuid4(), "file": file or sent()}
    return upload_file(actor=user_actor(user, "192.0.2.7"), **arguments | changed)


def test_the_first_file_makes_the_study_with_what_is_said_of_it(clinician: User) -> None:
    details = StudyDetails("P-1", "F", date(2020, 2, 29), "A-1", "Cough", True)
    key = uuid.uuid4()
    uploaded = upload(clinician, sent("one.png"), key, study=StudySent("s", details, BATCH))
    study = Study.objects.get()
    assert uploaded.study == study
    assert {name: getattr(study, name) for name in vars(details)} == vars(details)
    assert (study.submitted_by, study.batch) == (clinician, BATCH)
    image = study.images.get()
    assert uploaded.image == image
    assert (image.filename, image.position, image.upload_key, image.sha256) == ("one.png", 0, key, PICTURE_SHA256)
    assert read_original(image) == PICTURE
    job = image.jobs.get()
    assert (job.status, job.urgent, job.model_version.standing) == ("queued", True, Standing.LIVE)


def test_a_later_file_joins_its_study_in_the_next_place(clinician: User) -> None:
    places = [upload(clinician, sent(f"{number}.png")).image for number in range(3)]
    assert [image and image.position for image in places] == [0, 1, 2]
    assert Study.objects.get().images.count() == 3


def test_a_file_with_another_studys_key_makes_another_study_of_the_same_batch(clinician: User) -> None:
    upload(clinician)
    upload(clinician, study=StudySent("study-2", STUDY.details, BATCH))
    assert Study.objects.filter(batch=BATCH).count() == 2


def test_a_file_that_comes_again_adds_nothing_and_is_given_back(clinician: User) -> None:
    key = uuid.uuid4()
    first, again = (upload(clinician, key=key) for _ in range(2))
    assert again == first
    assert (Image.objects.count(), Job.objects.count(), len(stored_files())) == (1, 1, 1)
    assert AuditEvent.objects.filter(action=AuditAction.STUDY_SUBMITTED).count() == 1


def test_a_file_that_comes_again_is_not_even_read(clinician: User) -> None:
    key = uuid.uuid4()
    first = upload(clinician, key=key)
    assert upload(clinician, unreadable(AssertionError("read")), key) == first


def test_a_file_that_came_in_meanwhile_with_the_same_key_leaves_no_second_one_in_storage(clinician: User) -> None:
    key = uuid.uuid4()

    def come_twice() -> bytes:
        upload(clinician, key=key)
        return PICTURE

    uploaded = upload(clinician, SentFile("one.png", len(PICTURE), come_twice), key)
    assert uploaded.image == Image.objects.get()
    assert len(stored_files()) == 1


def test_the_same_file_with_another_key_is_another_image(clinician: User) -> None:
    upload(clinician)
    upload(clinician)
    assert Image.objects.filter(sha256=PICTURE_SHA256).count() == 2


def test_a_refused_file_beside_a_good_one_is_kept_on_record_with_its_key(clinician: User) -> None:
    upload(clinician)
    key = uuid.uuid4()
    uploaded, again = (upload(clinician, sent("letter.png", b"Dear colleague"), key) for _ in range(2))
    rejected = RejectedFile.objects.get()
    assert uploaded.rejected == again.rejected == rejected
    assert (rejected.upload_key, rejected.position, rejected.filename) == (key, 1, "letter.png")
    assert (rejected.code, rejected.message[:15]) == ("unsupported_type", "This is no PNG,")
    assert upload(clinician).image.position == 2  # type: ignore[union-attr]


def test_a_refused_file_without_a_study_makes_none_and_is_on_record(clinician: User) -> None:
    uploaded = upload(clinician, sent(data=b""))
    assert uploaded.study is None
    assert uploaded.rejected
    assert uploaded.rejected.code == "empty_file"
    assert not Study.objects.exists()
    assert stored_files() == []
    assert last_event(AuditAction.UPLOAD_REFUSED).detail == {"rejected": ["empty_file"]}


def test_each_file_is_on_record_with_its_image(clinician: User) -> None:
    image = upload(clinician).image
    event = last_event(AuditAction.STUDY_SUBMITTED)
    assert image
    assert (event.object_id, event.actor_name, event.address) == (str(image.study_id), "clinician", "192.0.2.7")
    assert event.detail == {"images": [str(image.pk)], "rejected": [], "model": "mobilenet_v2 1.0.0", "urgent": True}


def test_other_words_about_a_study_that_is_there_keep_nothing(clinician: User) -> None:
    upload(clinician)
    with pytest.raises(KeyReusedError, match="details were changed after the first file"):
        upload(clinician, study=StudySent("study-1", StudyDetails(patient_id="P-2"), BATCH))
    assert (Image.objects.count(), len(stored_files())) == (1, 1)


def test_a_key_of_the_api_is_not_taken_over(clinician: User) -> None:
    submit_study(actor=user_actor(clinician), files=[sent()], details=STUDY.details, idempotency_key=STUDY.key)
    with pytest.raises(KeyReusedError):
        upload(clinician)
    assert Image.objects.count() == 1


def test_another_users_study_is_not_joined_whatever_the_key(clinician: User, outsider: User) -> None:
    upload(clinician)
    uploaded = upload(outsider)
    assert uploaded.study
    assert uploaded.study.submitted_by == outsider
    assert Study.objects.count() == 2


def test_another_users_file_is_not_given_back_whatever_the_key(clinician: User, outsider: User) -> None:
    key = uuid.uuid4()
    mine, others = upload(clinician, key=key), upload(outsider, key=key)
    assert mine.image != others.image


def test_a_study_that_is_full_takes_no_more_and_says_so(clinician: User, settings: LazySettings) -> None:
    settings.CXR_MAX_FILES = 2
    upload(clinician)
    upload(clinician, sent(data=b""))
    for file in (sent(), sent(data=b"no picture")):
        with pytest.raises(SubmissionError, match="has 2 files; at most 2 are taken"):
            upload(clinician, file)
    assert len(stored_files()) == 1


def test_while_too_much_waits_nothing_more_is_taken_but_what_came_before_is_given_back(
    clinician: User, settings: LazySettings
) -> None:
    settings.CXR_MAX_QUEUED = 1
    key = uuid.uuid4()
    first = upload(clinician, key=key)
    with pytest.raises(QueueFullError) as raised:
        upload(clinician)
    assert (raised.value.retry_after_seconds or 0) >= 1
    assert len(stored_files()) == 1
    assert upload(clinician, key=key) == first


def test_a_file_that_storage_could_not_keep_may_come_again_with_its_key(clinician: User) -> None:
    key = uuid.uuid4()
    with pytest.raises(StorageError, match="could not be kept on the server"):
        upload(clinician, unreadable(OSError("disk")), key)
    assert not Study.objects.exists()
    assert upload(clinician, key=key).image


def test_nobody_can_upload(db: None) -> None:
    with pytest.raises(SubmissionError, match="Sign in"):
        upload_file(actor=Actor(None, ""), study=STUDY, upload_key=uuid.uuid4(), file=sent())


def test_a_site_without_a_model_keeps_nothing(clinician: User) -> None:
    ModelVersion.objects.all().delete()
    with pytest.raises(SubmissionError, match="No model is registered"):
        upload(clinician)
    assert stored_files() == []


def test_the_model_that_was_chosen_reads_it_and_the_shadow_beside_it(clinician: User, xception: ModelVersion) -> None:
    shadow = make_model_version("densenet", "1.0.0", standing=Standing.SHADOW)
    report_worker(name="reader-1", model_versions=[xception], engine="openvino")
    upload(clinician, model_version=xception)
    assert Job.objects.get(purpose=Purpose.PRIMARY).model_version == xception
    assert Job.objects.get(purpose=Purpose.SHADOW).model_version == shadow


def test_without_a_record_nothing_is_kept(clinician: User) -> None:
    with broken_audit(), pytest.raises(DatabaseError):
        upload(clinician)
    assert stored_files() == []


def test_the_doorbell_rings_once_the_file_is_committed(
    clinician: User, doorbell: Doorbell, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=False) as callbacks:
        upload(clinician)
    assert doorbell.rings() == 0
    for callback in callbacks:
        callback()
    assert doorbell.rings() == 1


def test_who_follows_the_study_is_told(clinician: User) -> None:
    told = [sql for sql in queries_of(lambda: upload(clinician)) if "pg_notify" in sql]
    assert len(told) == 1


def test_a_commit_whose_end_is_unknown_leaves_the_file(clinician: User, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lost:
        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None:
            raise ConnectionError

    atomic = transaction.atomic
    outermost = iter([Lost(), *(atomic() for _ in range(9))])
    monkeypatch.setattr(transaction, "atomic", lambda: next(outermost))
    with pytest.raises(ConnectionError):
        upload(clinician)
    assert len(stored_files()) == 1


def test_a_study_whose_patient_was_erased_takes_nothing_and_says_what_to_do(clinician: User) -> None:
    upload(clinician)
    erase_patient(actor=Actor(None, "terminal"), patient_id="P-1", reason="x")
    for file in (sent(), sent("x.png", b"no picture")):
        with pytest.raises(SubmissionError, match=r"This study was erased\. Send the files as a new study\."):
            upload(clinician, file)
    assert not stored_files()
    assert (Image.objects.count(), RejectedFile.objects.count()) == (1, 0)
    again = upload(clinician, study=StudySent("study-2", STUDY.details, BATCH)).study
    assert again
    assert Study.objects.get(pk=again.pk).patient_id == "P-1"
