"""The figures of how clinicians and the model agree."""

from html import unescape
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from diagnoses.models import ModelVersion, Study
from diagnoses.models.audit import AuditAction
from diagnoses.roles import Role
from diagnoses.selectors.agreement import (
    blind_agreement,
    discordant_readings,
    reader_agreement,
    sighted_agreement,
)
from diagnoses.states import JobStatus
from tests.conftest import make_user
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import last_event, make_job, make_result, make_study, queries_of
from tests.diagnoses.signing import image_of, read_first, sign


@pytest.fixture
def radiologist(db: None) -> User:
    return make_user("radiologist", Role.RADIOLOGIST)


def answered(owner: User, version: ModelVersion, label: str = "PNEUMONIA", **result: Any) -> Study:
    """A study of one image with this answer."""
    study = make_study(owner, version, patient_id=f"P-{Study.objects.count()}")
    job = make_job(study, version, JobStatus.QUEUED)
    make_result(job, label=label, **result)
    study.images.get().jobs.update(status=JobStatus.DONE)
    return study


def test_readings_made_before_the_answer_was_shown_are_counted_apart(
    clinician: User, model_version: ModelVersion
) -> None:
    sign(clinician, image_of(answered(clinician, model_version)), "PNEUMONIA")
    read_first(clinician)
    for label, finding in [("PNEUMONIA", "PNEUMONIA"), ("PNEUMONIA", "OTHER"), ("NORMAL", "NORMAL")]:
        sign(clinician, image_of(answered(clinician, model_version, label)), finding)
    sign(clinician, image_of(answered(clinician, model_version, indeterminate_reason="band")), "CANNOT_TELL")
    assert blind_agreement(clinician).table.rows == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert sighted_agreement(clinician).table.rows == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert blind_agreement(clinician).kappa.raw == 0.75
    followed = [(each.category, each.cases, each.same) for each in blind_agreement(clinician).by_answer]
    assert followed == [(0, 2, 1), (1, 1, 1), (2, 1, 1)]


def test_an_edit_with_the_answer_in_sight_does_not_change_what_was_said_without(
    clinician: User, model_version: ModelVersion
) -> None:
    read_first(clinician)
    image = image_of(answered(clinician, model_version))
    blind = sign(clinician, image, "NORMAL")
    sign(clinician, image, "PNEUMONIA", replaces=blind.pk)
    assert blind_agreement(clinician).table.rows == [[0, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert sighted_agreement(clinician).kappa.cases == 0


def test_what_was_signed_before_the_model_answered_counts_once_it_has(
    clinician: User, model_version: ModelVersion
) -> None:
    study = make_study(clinician, model_version)
    job = make_job(study, model_version, JobStatus.QUEUED)
    first = sign(clinician, image_of(study), "NORMAL")
    sign(clinician, image_of(study), "PNEUMONIA", replaces=first.pk)
    assert blind_agreement(clinician).kappa.cases == 0
    make_result(job)
    study.images.get().jobs.update(status=JobStatus.DONE)
    assert blind_agreement(clinician).table.rows[0] == [1, 0, 0]
    assert blind_agreement(clinician).kappa.cases == 1


def test_a_clinician_sees_their_own_figures_and_an_auditor_those_of_the_site(
    clinician: User, outsider: User, auditor: User, model_version: ModelVersion
) -> None:
    for owner in (clinician, outsider):
        sign(owner, image_of(answered(owner, model_version)), "NORMAL")
    assert sighted_agreement(clinician).kappa.cases == 1
    assert [name for name, _ in sighted_agreement(auditor).by_reader] == ["clinician", "outsider"]
    [(month, kappa)] = sighted_agreement(auditor).by_month
    assert (month.day, kappa.cases) == (1, 2)
    assert [reading.reader for reading in discordant_readings(clinician)] == [clinician]
    assert not discordant_readings(auditor).exists()


def test_readers_are_compared_by_what_they_signed_first(
    clinician: User, outsider: User, radiologist: User, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_SECOND_READER = True
    image = image_of(answered(clinician, model_version))
    first = sign(clinician, image, "NORMAL")
    sign(radiologist, image, "PNEUMONIA")
    sign(clinician, image, "PNEUMONIA", replaces=first.pk)
    for user in (clinician, radiologist):
        assert reader_agreement(user).rows == [[0, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert reader_agreement(outsider).kappa.cases == 0


def test_no_list_tells_a_second_reader_what_the_first_one_said(
    clinician: User, radiologist: User, model_version: ModelVersion, settings: LazySettings
) -> None:
    image = image_of(answered(clinician, model_version))
    sign(clinician, image, "NORMAL")
    browser, said = browser_of(radiologist), "What you may still read as the second reader is left out"
    assert discordant_readings(radiologist).exists()
    assert said not in page_of(browser)
    settings.CXR_SECOND_READER = True
    assert not discordant_readings(radiologist).exists()
    assert said in page_of(browser)
    sign(radiologist, image, "PNEUMONIA")
    assert discordant_readings(radiologist).exists()


def page_of(browser: Client, query: str = "") -> str:
    response = browser.get(reverse("agreement") + query)
    assert response.status_code == 200
    return " ".join(unescape(response.content.decode()).split())


def test_the_page_shows_figures_tables_and_the_way_to_each_contradiction(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    study = answered(clinician, model_version)
    sign(clinician, image_of(study), "NORMAL")
    page = page_of(browser)
    assert "How your signed readings stand to" in page
    assert "Signed with the answer in sight" in page
    assert "cannot be worked out" not in page.split("Signed with")[0]
    assert f'href="/studies/{study.pk}/#image-0"' in page
    assert 'id="trend-data" type="application/json"' in page
    assert "P-0" in page
    assert last_event(AuditAction.FIGURES_VIEWED).detail == {"page": "agreement", "found": 1}


def test_the_contradictions_are_filtered_and_sorted(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    for label, finding in [("PNEUMONIA", "NORMAL"), ("NORMAL", "PNEUMONIA"), ("NORMAL", "NORMAL")]:
        sign(clinician, image_of(answered(clinician, model_version, label)), finding)
    assert page_of(browser).count("/#image-0") == 2
    assert page_of(browser, "?answer=NORMAL&sort=reader_name").count("/#image-0") == 1
    assert page_of(browser, "?answer_shown=true&since=2020-01-01").count("/#image-0") == 2
    assert "No case matches." in page_of(browser, "?until=2020-01-01")
    assert "Enter a valid date" in page_of(browser, "?until=yesterday")


def test_no_address_makes_a_page_longer_or_breaks_it(
    browser: Client, clinician: User, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diagnoses.views.agreement._PAGE_SIZE", 2)
    for _ in range(3):
        sign(clinician, image_of(answered(clinician, model_version)), "NORMAL")
    for query, shown in [
        ("", 2),
        ("?page=2", 1),
        ("?page=two", 2),
        ("?page=99", 1),
        ("?page=-1", 1),
        ("?per_page=-1", 2),
        ("?per_page=1000000", 2),
    ]:
        assert page_of(browser, query).count("/#image-0") == shown, query


def test_a_page_without_readings_says_what_to_do(browser: Client) -> None:
    page = page_of(browser)
    assert "Choose “Read first” in the preferences" in page
    assert "No such case" in page


def test_an_administrator_sees_figures_and_no_case(
    administrator: User, clinician: User, model_version: ModelVersion
) -> None:
    sign(clinician, image_of(answered(clinician, model_version)), "NORMAL")
    page = page_of(browser_of(administrator))
    assert "How the signed readings of this site stand" in page
    assert "/#image-0" not in page
    assert "P-0" not in page


def test_more_readings_take_no_more_queries(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    counts = []
    for _ in range(2):
        for _ in range(3):
            sign(clinician, image_of(answered(clinician, model_version)), "NORMAL")
        counts.append(len(queries_of(lambda: page_of(browser))))
    assert counts[0] == counts[1]
