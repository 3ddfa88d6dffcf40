"""Words and patients are found the same, whether near readings are looked through or an index is asked."""

import pytest
from django.contrib.auth.models import User

from diagnoses import sealing
from diagnoses.models import Job, ModelVersion, Result
from diagnoses.selectors import words
from diagnoses.selectors.history import find_jobs, find_studies, history_page
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.states import JobStatus
from tests.diagnoses.factory import make_job, make_model_version, make_study


@pytest.fixture
def cases(clinician: User, outsider: User, model_version: ModelVersion) -> None:
    """Cases whose words are in different places, and another user's that have all of them."""
    other_model = make_model_version("xception")
    for filename, details, status, version in (
        ("scan_1%.png", {"patient_id": "P-1", "clinical_note": "Sốt cao"}, JobStatus.DONE, model_version),
        ("b.dcm", {"patient_id": "P-1", "accession_number": "SCAN-7"}, JobStatus.QUEUED, other_model),
        ("c.png", {"patient_id": "P-12", "clinical_note": "A scan\\of old"}, JobStatus.REFUSED, model_version),
        ("d.png", {}, JobStatus.DONE, other_model),
    ):
        make_job(make_study(clinician, version, **details), version, status, filename=filename)
    theirs = {"patient_id": "P-1", "accession_number": "SCAN-7", "clinical_note": "Sốt cao, scan\\of old"}
    make_job(make_study(outsider, model_version, **theirs), model_version, filename="scan_1%.png")


FILTERS = [
    (HistoryFilter(search="scan"), ["c.png", "b.dcm", "scan_1%.png"]),
    (HistoryFilter(search="sca"), []),
    (HistoryFilter(search="SỐT"), ["scan_1%.png"]),
    (HistoryFilter(search="cao sốt"), ["scan_1%.png"]),
    (HistoryFilter(search="sốt old"), []),
    (HistoryFilter(search="scan_1%.png"), ["scan_1%.png"]),
    (HistoryFilter(search="scan_1%"), ["scan_1%.png"]),
    (HistoryFilter(search="scan\\of"), ["c.png"]),
    (HistoryFilter(search="p-1"), ["b.dcm", "scan_1%.png"]),
    (HistoryFilter(search="."), []),
    (HistoryFilter(search="\x00"), []),
    (HistoryFilter(search="pngP-1"), []),
    (HistoryFilter(search="scan", status="refused"), ["c.png"]),
    (HistoryFilter(search="png", model="xception", label="PNEUMONIA"), ["d.png"]),
    (HistoryFilter(patient_id="P-1"), ["b.dcm", "scan_1%.png"]),
    (HistoryFilter(patient_id=" p-1"), ["b.dcm", "scan_1%.png"]),
    (HistoryFilter(patient_id="P-2"), []),
    (HistoryFilter(patient_id="P-1", search="scan-7"), ["b.dcm"]),
    (HistoryFilter(patient_id="P-1", status="done"), ["scan_1%.png"]),
]


@pytest.mark.parametrize("looked_through", [100, 0], ids=["all near", "none near"])
def test_the_way_to_a_word_or_a_patient_changes_nothing_in_what_is_found(
    clinician: User, cases: None, monkeypatch: pytest.MonkeyPatch, looked_through: int
) -> None:
    monkeypatch.setattr(words, "_LOOKED_THROUGH", looked_through)
    for wanted, found in FILTERS:
        assert [job.image.filename for job in history_page(clinician, wanted).jobs] == found, wanted
        assert [job.image.filename for job in find_jobs(clinician, wanted)] == found, wanted
        assert [study.images.get().filename for study in find_studies(clinician, wanted)] == found, wanted


def test_a_reading_carries_its_owner_its_answer_and_its_words_whoever_writes_it(
    clinician: User, outsider: User, model_version: ModelVersion
) -> None:
    study = make_study(clinician, model_version, JobStatus.DONE, patient_id="p-1", clinical_note="Sốt")
    Job.objects.update(owner_id=outsider.pk, words=[])
    Result.objects.update(label="NORMAL", indeterminate_reason="band")
    job = Job.objects.get(image__study=study)
    assert (job.owner_id, job.label, job.indeterminate) == (clinician.pk, "NORMAL", True)
    assert set(sealing.words_of("chest-0.png", "P-1", "Sốt")) <= set(job.words)
