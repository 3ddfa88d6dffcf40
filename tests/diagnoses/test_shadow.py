"""A shadow is seen by nobody but the comparison."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from diagnoses.models import Job, ModelVersion
from diagnoses.models.job import Purpose
from diagnoses.models.registry import Standing
from diagnoses.selectors import shadow as shadow_selectors
from diagnoses.selectors.history import find_jobs, find_studies
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.selectors.shadow import ShadowAnswer, ShadowComparison, shadow_comparison
from diagnoses.selectors.studies import jobs_visible_to, study_state
from diagnoses.states import JobStatus
from tests.diagnoses.factory import make_job, make_job_of, make_model_version, make_result, make_study, queries_of
from tests.diagnoses.test_export import rows_of

Pair = tuple[Job, Job]


@pytest.fixture
def shadow(db: None) -> ModelVersion:
    return make_model_version(name="xception", standing=Standing.SHADOW)


@pytest.fixture
def pair(clinician: User, model_version: ModelVersion, shadow: ModelVersion) -> Pair:
    """A picture's reading, and what the shadow said of it: the opposite."""
    return both(clinician, model_version, shadow, "PNEUMONIA", "NORMAL")


def both(
    owner: User, model_version: ModelVersion, shadow: ModelVersion, primary_says: str, shadow_says: str, **fields: Any
) -> Pair:
    """A job and the shadow's on one picture. What either says is a label, or the code of a refusal."""
    primary = make_job(make_study(owner, model_version), model_version, JobStatus.RUNNING, **fields)
    shadowed = make_job_of(primary.image, shadow, JobStatus.RUNNING, purpose=Purpose.SHADOW)
    end(primary, primary_says, 0.9)
    end(shadowed, shadow_says, 0.1)
    return primary, shadowed


def end(job: Job, says: str, probability: float) -> None:
    if says in ("NORMAL", "PNEUMONIA"):
        make_result(job, label=says, probability=probability)
        Job.objects.filter(pk=job.pk).update(status=JobStatus.DONE, lease_until=None)
    else:
        Job.objects.filter(pk=job.pk).update(status=JobStatus.REFUSED, lease_until=None, error_code=says)


def test_a_shadows_reading_is_on_no_page_of_its_study(browser: Client, pair: Pair) -> None:
    primary, shadowed = pair
    for name in ("study", "study_images"):
        page = browser.get(reverse(name, args=[primary.image.study_id])).content.decode()
        assert str(primary.pk) in page
        assert str(shadowed.pk) not in page


def test_a_shadows_reading_is_in_no_answer_of_the_api(api: APIClient, pair: Pair) -> None:
    primary, shadowed = pair
    for url in (reverse("api_study", args=[primary.image.study_id]), reverse("api_studies")):
        said = api.get(url).content.decode()
        assert str(primary.pk) in said
        assert str(shadowed.pk) not in said
    listed = api.get(reverse("api_studies"), {"label": "NORMAL"}).json()
    assert listed["results"] == []


def test_a_shadows_heatmap_is_not_found_by_its_id(browser: Client, api: APIClient, pair: Pair) -> None:
    for job, status in zip(pair, (200, 404), strict=True):
        assert browser.get(reverse("heatmap", args=[job.pk])).status_code == status
        assert api.get(reverse("api_heatmap", args=[job.pk])).status_code == status


def test_a_shadows_reading_is_not_in_the_history_nor_in_its_export(
    browser: Client, clinician: User, pair: Pair
) -> None:
    primary, _ = pair
    assert list(find_jobs(clinician, HistoryFilter())) == [primary]
    assert not find_jobs(clinician, HistoryFilter(model="xception")).exists()
    assert not find_studies(clinician, HistoryFilter(label="NORMAL")).exists()
    assert [row["model"] for row in rows_of(browser)] == ["mobilenet_v2"]


@pytest.mark.parametrize("status", JobStatus)
def test_a_shadow_changes_nothing_of_what_its_study_looks_like(
    clinician: User, model_version: ModelVersion, shadow: ModelVersion, status: JobStatus
) -> None:
    job = make_job(make_study(clinician, model_version), model_version, JobStatus.DONE)
    before = study_state(clinician, job.image.study_id)
    make_job_of(job.image, shadow, status, purpose=Purpose.SHADOW)
    after = study_state(clinician, job.image.study_id)
    assert (after.fingerprint, after.ended, after.images) == (before.fingerprint, True, before.images)
    assert list(jobs_visible_to(clinician)) == [job]


def test_an_outsider_sees_neither_the_reading_nor_the_shadows(outsider: User, pair: Pair) -> None:
    assert not jobs_visible_to(outsider).exists()


def test_more_readings_take_no_more_queries(clinician: User, pair: Pair) -> None:
    def look() -> None:
        state = study_state(clinician, pair[0].image.study_id)
        assert all(job.model_version and job.image.study_id for image in state.images for job in image.jobs)

    look()  # and know the user's rights from then on
    few = len(queries_of(look))
    for number in range(3):
        make_job_of(pair[0].image, make_model_version(version=f"3.{number}.0"), JobStatus.DONE, purpose=Purpose.REREAD)
    make_job(pair[0].image.study, make_model_version(version="4.0.0"), JobStatus.DONE)
    assert len(queries_of(look)) == few


def test_the_comparison_counts_where_the_two_say_the_same_and_where_not(
    clinician: User, model_version: ModelVersion, shadow: ModelVersion
) -> None:
    answers = [
        ("NORMAL", "NORMAL"),
        ("PNEUMONIA", "PNEUMONIA"),
        ("PNEUMONIA", "PNEUMONIA"),
        ("PNEUMONIA", "NORMAL"),
        ("NORMAL", "not_frontal"),
        ("not_frontal", "NORMAL"),
        ("not_frontal", "inverted"),
    ]
    jobs = [both(clinician, model_version, shadow, *says) for says in answers]
    found = shadow_comparison(shadow)
    assert (found.compared, found.same_label, found.other_label, found.refused_differently) == (7, 3, 1, 2)
    assert [row.image_id for row in found.rows] == [jobs[n][0].image_id for n in (5, 4, 3)], "newest first"


def test_a_disagreement_says_what_either_said(
    clinician: User, model_version: ModelVersion, shadow: ModelVersion, pair: Pair
) -> None:
    both(clinician, model_version, shadow, "NORMAL", "not_frontal")
    refused, other = shadow_comparison(shadow).rows
    assert (other.study_id, other.image_id) == (pair[0].image.study_id, pair[0].image_id)
    assert other.sent_at == pair[0].image.study.created_at
    assert other.primary == ShadowAnswer("mobilenet_v2 1.0.0", "PNEUMONIA", 0.9, "")
    assert other.shadow == ShadowAnswer("xception 2.0.0", "NORMAL", 0.1, "")
    assert refused.primary == ShadowAnswer("mobilenet_v2 1.0.0", "NORMAL", 0.9, "")
    assert refused.shadow == ShadowAnswer("xception 2.0.0", "", None, "not_frontal")


def test_a_reading_that_a_clinician_asked_to_see_is_compared_still(shadow: ModelVersion, pair: Pair) -> None:
    Job.objects.filter(pk=pair[1].pk).update(purpose=Purpose.REREAD)
    assert shadow_comparison(shadow).other_label == 1


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.FAILED])
def test_only_what_both_have_answered_is_compared(
    clinician: User, model_version: ModelVersion, shadow: ModelVersion, status: JobStatus
) -> None:
    study = make_study(clinician, model_version)
    done, open_ = make_job(study, model_version, JobStatus.DONE), make_job(study, model_version, status)
    make_job_of(done.image, shadow, status, purpose=Purpose.SHADOW)
    make_job_of(open_.image, shadow, JobStatus.DONE, purpose=Purpose.SHADOW)
    assert shadow_comparison(shadow) == ShadowComparison(0, 0, 0, 0, [])


def test_an_image_whose_refusal_was_overridden_is_not_compared(
    clinician: User, model_version: ModelVersion, shadow: ModelVersion
) -> None:
    override = {"override_code": "not_frontal", "override_reason": "It is.", "override_by": "clinician"}
    at = make_study(clinician, model_version).created_at
    both(clinician, model_version, shadow, "NORMAL", "not_frontal", override_at=at, **override)
    assert shadow_comparison(shadow).compared == 0


def test_a_version_that_read_nothing_beside_another_has_nothing_to_compare(
    clinician: User, model_version: ModelVersion, pair: Pair
) -> None:
    assert shadow_comparison(model_version) == ShadowComparison(0, 0, 0, 0, [])


def test_the_comparison_lists_no_more_than_its_share_in_three_queries(
    clinician: User, model_version: ModelVersion, shadow: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow_selectors, "MOST_ROWS", 2)
    for _ in range(4):
        both(clinician, model_version, shadow, "NORMAL", "PNEUMONIA")
    found = shadow_comparison(shadow)
    assert (found.other_label, len(found.rows)) == (4, 2)
    assert len(queries_of(lambda: shadow_comparison(shadow))) == 3
