"""A radiologist sees every study of the site, wherever studies are listed, filtered or searched."""

import pytest
from django.contrib.auth.models import User

from diagnoses.models import Job, ModelVersion, Study
from diagnoses.selectors import words
from diagnoses.selectors.history import find_jobs, find_studies, history_page
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.selectors.sight import sees_every_study
from diagnoses.selectors.studies import images_visible_to, jobs_visible_to, visible_to
from diagnoses.states import JobStatus
from tests.diagnoses.factory import make_study


@pytest.fixture
def of_two(clinician: User, outsider: User, model_version: ModelVersion) -> list[Study]:
    """A study of either clinician."""
    return [
        make_study(owner, model_version, JobStatus.DONE, patient_id=patient, accession_number=f"A-{patient}")
        for owner, patient in ((clinician, "P-1"), (outsider, "P-2"))
    ]


def patients(jobs: list[Job]) -> set[str]:
    return {job.image.study.patient_id for job in jobs}


def test_every_study_of_the_site_is_in_sight(radiologist: User, of_two: list[Study]) -> None:
    assert set(visible_to(radiologist)) == set(of_two)
    assert images_visible_to(radiologist).count() == jobs_visible_to(radiologist).count() == 2


def test_nobody_else_sees_what_others_sent(
    clinician: User, auditor: User, administrator: User, radiologist: User, of_two: list[Study]
) -> None:
    assert list(visible_to(clinician)) == of_two[:1]
    User.objects.filter(pk=radiologist.pk).update(is_active=False)
    for user in (auditor, administrator, User.objects.get(pk=radiologist.pk)):
        assert not visible_to(user).exists()
        assert not sees_every_study(user)


@pytest.mark.parametrize("near", [True, False], ids=["among the nearest", "by an index"])
@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (HistoryFilter(), {"P-1", "P-2"}),
        (HistoryFilter(label="PNEUMONIA"), {"P-1", "P-2"}),
        (HistoryFilter(status="failed"), set()),
        (HistoryFilter(patient_id="P-2"), {"P-2"}),
        (HistoryFilter(search="a p-1"), {"P-1"}),
        (HistoryFilter(patient_id="P-2", search="chest-0"), {"P-2"}),
    ],
)
def test_the_history_of_a_radiologist_is_that_of_all(
    wanted: HistoryFilter,
    found: set[str],
    near: bool,
    radiologist: User,
    of_two: list[Study],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not near:
        monkeypatch.setattr(words, "look_through", lambda *_: None)
    assert patients(history_page(radiologist, wanted).jobs) == found
    assert patients(list(find_jobs(radiologist, wanted))) == found
    assert {study.patient_id for study in find_studies(radiologist, wanted)} == found
