"""What is in a packed export: what its owner may see while it is packed, under names that tell of nobody."""

import csv
import json
import re
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO, StringIO
from typing import Any
from zipfile import ZipFile

import cv2
import numpy as np
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.utils import timezone, translation

from diagnoses import storage
from diagnoses.audit import user_actor
from diagnoses.imaging import sandbox
from diagnoses.models import Export, Job, ModelVersion, Profile, Study
from diagnoses.models.export import ExportFault
from diagnoses.models.job import Purpose
from diagnoses.roles import Role
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.services import exporting, packing
from diagnoses.states import JobStatus
from diagnoses.storage import sealed
from tests.conftest import make_user
from tests.diagnoses.factory import (
    HEIGHT,
    PICTURE,
    WIDTH,
    make_job,
    make_job_of,
    make_reading,
    make_study,
    stored_files,
)


def begun(user: User, **wanted: Any) -> Iterator[None]:
    """The steps of a new export."""
    exporting.request_export(actor=user_actor(user), user=user, query="", wanted=HistoryFilter(**wanted))
    claim = exporting.claim_export()
    assert claim
    return packing.pack(claim)


def the_export() -> Export:
    return Export.objects.get()


def packed(user: User, **wanted: Any) -> ZipFile:
    for _ in begun(user, **wanted):
        pass
    export = the_export()
    assert export.status == "done", export.error_code
    with storage.reading(export.stored_name) as file:
        data = b"".join(sealed.pieces(file, export.key, export.stored_name))
    assert len(data) == export.byte_size
    return ZipFile(BytesIO(data))


def study_in(archive: ZipFile, study: Study) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(archive.read(f"studies/{study.pk}/study.json"))
    return said


def index_of(archive: ZipFile) -> list[dict[str, str]]:
    text = archive.read("index.csv").decode()
    return list(csv.DictReader(StringIO(text.removeprefix("\ufeff"), newline="")))


def pixels(data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def test_an_export_knows_how_old_its_oldest_study_is(done_study: Study, model_version: ModelVersion) -> None:
    make_study(done_study.submitted_by, model_version, JobStatus.DONE)
    Study.objects.filter(pk=done_study.pk).update(created_at=timezone.now() - timedelta(days=3))
    packed(done_study.submitted_by)
    assert the_export().oldest_study_at == Study.objects.get(pk=done_study.pk).created_at


def test_a_study_is_packed_with_pictures_heatmaps_and_words(clinician: User, done: Job) -> None:
    make_reading(done.image, clinician, text="As ever.")
    study = done.image.study
    archive = packed(clinician)
    assert archive.testzip() is None
    folder = f"studies/{study.pk}"
    assert sorted(archive.namelist()) == [
        "index.csv",
        f"{folder}/image-1-heatmap-1.png",
        f"{folder}/image-1.png",
        f"{folder}/study.json",
    ]
    assert np.array_equal(pixels(archive.read(f"{folder}/image-1.png")), pixels(PICTURE))
    assert pixels(archive.read(f"{folder}/image-1-heatmap-1.png")).shape == (HEIGHT, WIDTH, 4)
    said = study_in(archive, study)
    assert (said["patient_id"], said["accession_number"]) == ("P-0001", "A-77")
    [image] = said["images"]
    assert image["readings"][0]["answer"]["probability"] == 0.9312
    assert (image["signed"]["finding"], image["signed"]["text"]) == ("PNEUMONIA", "As ever.")
    [row] = index_of(archive)
    assert (row["folder"], row["picture_file"]) == (folder, "image-1.png")
    assert (row["label"], row["finding"], row["heatmap_file"]) == ("PNEUMONIA", "PNEUMONIA", "image-1-heatmap-1.png")


def test_no_name_in_the_file_tells_of_a_patient_or_leads_out_of_it(
    clinician: User, model_version: ModelVersion
) -> None:
    study = make_study(clinician, model_version, patient_id="Nguyen")
    make_job(study, model_version, JobStatus.DONE, filename="../../Nguyen.png")
    for name in packed(clinician).namelist():
        assert re.fullmatch(r"index\.csv|studies/[0-9a-f-]{36}/(study\.json|image-\d+(-heatmap-\d+)?\.png)", name)


def test_only_what_matches_and_only_ones_own_is_packed(
    clinician: User, outsider: User, model_version: ModelVersion
) -> None:
    mine = make_study(clinician, model_version, JobStatus.DONE, patient_id="P-1")
    make_study(clinician, model_version, JobStatus.DONE, patient_id="P-2")
    make_study(outsider, model_version, JobStatus.DONE, patient_id="P-1")
    assert {row["study"] for row in index_of(packed(clinician, patient_id="P-1"))} == {str(mine.pk)}


def test_a_shadows_reading_is_not_packed(clinician: User, done: Job, xception: ModelVersion) -> None:
    make_job_of(done.image, xception, JobStatus.DONE, purpose=Purpose.SHADOW)
    assert [row["model"] for row in index_of(packed(clinician))] == ["mobilenet_v2"]


def test_what_a_user_may_not_see_yet_is_hidden_in_the_file_too(clinician: User, done: Job) -> None:
    Profile.objects.create(user=clinician, reads_first=True)
    archive = packed(clinician)
    assert not [name for name in archive.namelist() if "heatmap" in name]
    assert index_of(archive)[0]["label"] == "hidden"
    [said] = study_in(archive, done.image.study)["images"][0]["readings"]
    assert "answer" not in said
    assert said["hidden"] == "Hidden until you have read"


@pytest.mark.parametrize("what", ["gone", "damaged"])
def test_a_picture_that_cannot_be_shown_leaves_its_words(
    clinician: User, model_version: ModelVersion, what: str
) -> None:
    study = make_study(clinician, model_version)
    job = make_job(study, model_version, JobStatus.DONE, data=b"no picture")
    if what == "gone":
        storage.remove(job.image.stored_name)
    archive = packed(clinician)
    assert study_in(archive, study)["images"][0]["picture_file"] == ""
    assert index_of(archive)[0]["picture_file"] == ""


def test_progress_is_kept_study_by_study(clinician: User, model_version: ModelVersion) -> None:
    for _ in range(3):
        make_study(clinician, model_version, JobStatus.DONE)
    counts = [the_export().packed for _ in begun(clinician)]
    assert counts == [0, 1, 2]
    assert (the_export().packed, the_export().total) == (3, 3)


def test_a_cancelled_export_stops_at_its_next_step_and_leaves_no_file(
    clinician: User, model_version: ModelVersion
) -> None:
    for _ in range(3):
        make_study(clinician, model_version, JobStatus.DONE)
    kept = stored_files()
    steps = begun(clinician)
    next(steps)
    exporting.cancel_export(actor=user_actor(clinician), export=the_export())
    assert len(list(steps)) <= 1
    assert stored_files() == kept
    assert not Export.objects.exists()


def test_what_is_given_up_between_two_steps_leaves_no_file(clinician: User, done: Job) -> None:
    kept = stored_files()
    steps: Any = begun(clinician)
    next(steps)
    assert stored_files() != kept
    steps.close()
    assert stored_files() == kept
    assert the_export().status == "running"


@pytest.mark.parametrize("fault", [ExportFault.TOO_LARGE, ExportFault.STORAGE, ExportFault.INTERNAL_ERROR])
def test_a_fault_ends_it_with_words_and_without_a_file(
    clinician: User, done: Job, settings: LazySettings, monkeypatch: pytest.MonkeyPatch, fault: ExportFault
) -> None:
    def fail(_: bytes) -> Any:
        raise OSError if fault is ExportFault.STORAGE else ArithmeticError

    if fault is ExportFault.TOO_LARGE:
        settings.CXR_EXPORT_BYTES = 100
    else:
        monkeypatch.setattr(sandbox, "draw", fail)
    kept = stored_files()
    list(begun(clinician))
    assert (the_export().status, the_export().error_code) == ("failed", fault)
    assert the_export().get_error_code_display() == str(fault.label)
    assert stored_files() == kept


def test_an_account_that_is_switched_off_meanwhile_gets_nothing(clinician: User, model_version: ModelVersion) -> None:
    for _ in range(2):
        make_study(clinician, model_version, JobStatus.DONE)
    steps = begun(clinician)
    next(steps)
    User.objects.filter(pk=clinician.pk).update(is_active=False)
    list(steps)
    assert (the_export().status, the_export().error_code) == ("failed", ExportFault.SWITCHED_OFF)


def test_an_owner_who_reads_first_since_is_told_why_nothing_is_packed(
    clinician: User, done: Job, caplog: pytest.LogCaptureFixture
) -> None:
    steps = begun(clinician, label="PNEUMONIA")
    Profile.objects.create(user=clinician, reads_first=True)
    list(steps)
    assert (the_export().status, the_export().error_code) == ("failed", ExportFault.HIDDEN_ANSWERS)
    assert "You read first" in the_export().get_error_code_display()
    assert not [record for record in caplog.records if record.exc_info]


def test_what_was_packed_with_the_right_to_everything_is_marked(clinician: User, done: Job) -> None:
    marks = []
    for user in (clinician, make_user("radiologist", Role.RADIOLOGIST)):
        packed(user)
        marks.append(the_export().site_wide)
        Export.objects.all().delete()
    assert marks == [False, True]


def test_words_in_the_file_are_in_its_owners_language(clinician: User, model_version: ModelVersion) -> None:
    said = {"template": "Exports", "facts": {}}
    study = make_study(clinician, model_version)
    make_job(study, model_version, JobStatus.FAILED, error_message="A worker stopped", error_said=said)
    Profile.objects.create(user=clinician, language="vi")
    described = study_in(packed(clinician), study)
    [reading] = described["images"][0]["readings"]
    with translation.override("vi"):
        assert described["notice"] == translation.gettext("An aid to reading, not a diagnosis. The clinician decides.")
        assert reading["error_message"] == Job.objects.get().error_words
    assert not described["notice"].startswith("An aid")
    assert reading["error_message"] == "Tệp xuất"


def test_where_nothing_matches_any_more_that_is_said(clinician: User, done: Job) -> None:
    steps = begun(clinician)
    Study.objects.update(submitted_by=User.objects.create(username="somebody else"))
    Job.objects.update(owner_id=0)
    list(steps)
    assert the_export().error_code == ExportFault.NOTHING_LEFT


def test_more_cases_take_no_more_memory_but_for_their_lines_of_the_index(
    clinician: User, model_version: ModelVersion
) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (300, 300), np.uint8)
    _, encoded = cv2.imencode(".png", noise)
    peaks = []
    for count in (10, 90):
        for _ in range(count):
            make_job(make_study(clinician, model_version), model_version, JobStatus.DONE, data=encoded.tobytes())
        tracemalloc.start()
        archive_size = len(packed_file(clinician))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        Export.objects.all().delete()
    assert archive_size > 100 * 90_000
    assert peaks[1] - peaks[0] < 1_500_000, peaks


def packed_file(user: User) -> range:
    """As long as the file that was packed, which is not read."""
    for _ in begun(user):
        pass
    return range(the_export().byte_size)
