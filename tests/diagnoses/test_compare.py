"""Two studies side by side: what differs, what must not be compared, and who may see it."""

from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from diagnoses.audit import Actor
from diagnoses.models import AuditEvent, Image, Job, ModelVersion, Profile, Result, Study
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.comparing import earlier_studies
from diagnoses.services.erasing import erase_patient
from diagnoses.states import JobStatus
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import make_reading, make_study

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def study_of(owner: User, version: ModelVersion, day: int, probability: float = 0.9, patient: str = "P-1") -> Study:
    study = make_study(owner, version, JobStatus.DONE, patient_id=patient, created_at=NOON + timedelta(days=day))
    Result.objects.filter(job__image__study=study).update(probability=probability)
    return study


def compared(browser: Client, one: Study, other: Study) -> Any:
    return browser.get(reverse("compare"), {"a": str(one.pk), "b": str(other.pk)})


def words_of(response: Any) -> str:
    return " ".join(unescape(response.content.decode()).split())


@pytest.fixture
def pair(clinician: User, model_version: ModelVersion) -> tuple[Study, Study]:
    """Two studies of one patient, three days apart."""
    return study_of(clinician, model_version, 0, 0.9), study_of(clinician, model_version, 3, 0.6)


def test_the_earlier_one_stands_first_whatever_the_address_says(browser: Client, pair: tuple[Study, Study]) -> None:
    for one, other in (pair, pair[::-1]):
        page = words_of(compared(browser, one, other))
        assert page.index(reverse("study", args=[pair[0].pk])) < page.index(reverse("study", args=[pair[1].pk]))
        assert "3 days lie between them." in page
        assert "-30.0 percentage points" in page
        for image in Image.objects.all():
            assert reverse("picture", args=[image.pk]) in page
        for job in Job.objects.all():
            assert reverse("heatmap", args=[job.pk]) in page


def test_answers_of_different_versions_are_not_compared(
    browser: Client, clinician: User, pair: tuple[Study, Study], xception: ModelVersion
) -> None:
    assert "Read by different versions." not in words_of(compared(browser, *pair))
    page = words_of(compared(browser, pair[0], study_of(clinician, xception, 5)))
    assert "Read by different versions." in page
    assert "not comparable" in page
    assert "percentage points" not in page


def test_studies_of_two_patients_say_so(
    browser: Client, clinician: User, pair: tuple[Study, Study], model_version: ModelVersion
) -> None:
    warning = "These studies are of different patients"
    assert warning not in words_of(compared(browser, *pair))
    for patient in ("P-2", ""):
        assert warning in words_of(compared(browser, pair[0], study_of(clinician, model_version, 1, 0.5, patient)))


def test_two_erased_patients_are_not_taken_for_one(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    ids = ("P-1", "P-2")
    pair = [study_of(clinician, model_version, day, patient=patient) for day, patient in enumerate(ids)]
    for patient in ids:
        erase_patient(actor=Actor(None, "terminal"), patient_id=patient, reason="x")
    assert "These studies are of different patients" in words_of(compared(browser, *pair))


def test_one_patient_whose_id_is_written_otherwise_is_one(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    pair = [study_of(clinician, model_version, day, patient=patient) for day, patient in enumerate(("ab 1", "AB 1 "))]
    assert "These studies are of different patients" not in words_of(compared(browser, *pair))


def test_both_studies_are_on_record_as_seen(browser: Client, pair: tuple[Study, Study]) -> None:
    compared(browser, *pair)
    seen = AuditEvent.objects.filter(action=AuditAction.STUDY_VIEWED).values_list("object_id", "detail")
    one, other = (str(study.pk) for study in pair)
    assert {(pk, detail["compared_with"]) for pk, detail in seen} == {(one, other), (other, one)}


def test_what_a_clinician_signed_stands_beside_the_answer(
    browser: Client, clinician: User, pair: tuple[Study, Study]
) -> None:
    assert words_of(compared(browser, *pair)).count("No clinician has signed a reading.") == 2
    make_reading(pair[0].images.get(), clinician, "NORMAL", "disagree", text="No infiltrate.")
    page = words_of(compared(browser, *pair))
    assert "Normal (Disagrees)" in page
    assert "No infiltrate." in page


def test_an_answer_waits_for_who_reads_first(browser: Client, clinician: User, pair: tuple[Study, Study]) -> None:
    Profile.objects.create(user=clinician, reads_first=True)
    make_reading(pair[0].images.get(), clinician)
    page = words_of(compared(browser, *pair))
    assert page.count("Hidden until you have read") == 1
    assert "percentage points" not in page
    hidden_job = Job.objects.get(image__study=pair[1])
    assert reverse("heatmap", args=[hidden_job.pk]) not in page
    assert reverse("picture", args=[hidden_job.image_id]) in page


def test_an_outsider_compares_nothing_of_the_owners_not_even_beside_their_own(
    outsider: User, pair: tuple[Study, Study], model_version: ModelVersion
) -> None:
    own = study_of(outsider, model_version, 1)
    for one, other in (pair, (own, pair[0]), (pair[1], own)):
        assert compared(browser_of(outsider), one, other).status_code == 404
    assert not AuditEvent.objects.filter(action=AuditAction.STUDY_VIEWED).exists()


def test_ticks_in_a_list_lead_to_the_comparison(browser: Client, pair: tuple[Study, Study]) -> None:
    one, other = (str(study.pk) for study in pair)
    response = browser.get(reverse("compare"), {"study": [one, other, one]})
    assert (response.status_code, response["Location"]) == (302, f"{reverse('compare')}?a={one}&b={other}")


@pytest.mark.parametrize("query", [{}, {"a": "x", "b": "y"}, {"study": ["x"]}, {"study": ["x", "y", "z"]}], ids=str)
def test_anything_but_two_studies_is_answered_with_words(browser: Client, query: dict[str, Any]) -> None:
    response = browser.get(reverse("compare"), query)
    assert response.status_code == 400
    assert "Tick two of them in the history." in words_of(response)


def test_one_study_is_not_compared_with_itself(browser: Client, pair: tuple[Study, Study]) -> None:
    assert compared(browser, pair[0], pair[0]).status_code == 400


def test_a_study_leads_to_the_earlier_ones_of_its_patient_alone(
    browser: Client, clinician: User, outsider: User, pair: tuple[Study, Study], model_version: ModelVersion
) -> None:
    study_of(outsider, model_version, 1)
    study_of(clinician, model_version, 1, patient="P-2")
    assert list(earlier_studies(clinician, pair[1])) == [pair[0]]
    assert not earlier_studies(clinician, pair[0]).exists()
    page = words_of(browser.get(reverse("study", args=[pair[1].pk])))
    assert f'href="{reverse("compare")}?a={pair[0].pk}&b={pair[1].pk}"' in page
    assert "Compare with an earlier one" not in words_of(browser.get(reverse("study", args=[pair[0].pk])))


def test_studies_without_a_patient_are_nobodys_earlier_ones(clinician: User, model_version: ModelVersion) -> None:
    study_of(clinician, model_version, 0, patient="")
    assert not earlier_studies(clinician, study_of(clinician, model_version, 1, patient="")).exists()
