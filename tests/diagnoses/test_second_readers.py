"""Second readers and arbiters, on a site that wants them."""

from html import unescape

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from diagnoses.models import Study
from diagnoses.roles import Role
from diagnoses.selectors import caseload
from diagnoses.selectors.agreement import sighted_agreement
from diagnoses.selectors.cases import cases_of
from diagnoses.selectors.history import find_jobs, find_studies, history_page
from diagnoses.selectors.periods import Period
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.selectors.readings import part_of, wanted_of
from diagnoses.selectors.signed import final_readings
from diagnoses.selectors.studies import jobs_visible_to
from diagnoses.services.signing import SigningConflictError
from tests.conftest import make_user
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.signing import image_of, sign
from tests.diagnoses.test_export import export


@pytest.fixture
def radiologist(db: None) -> User:
    return make_user("radiologist", Role.RADIOLOGIST)


@pytest.fixture
def arbiter(db: None) -> User:
    return make_user("arbiter", Role.RADIOLOGIST)


@pytest.fixture
def _two_readers(settings: LazySettings) -> None:
    settings.CXR_SECOND_READER = True


def page_of(user: User, study: Study) -> str:
    response = browser_of(user).get(reverse("study", args=[study.pk]))
    assert response.status_code == 200
    return " ".join(unescape(response.content.decode()).split())


def test_a_site_without_second_readers_wants_no_more_than_one(
    clinician: User, radiologist: User, done_study: Study
) -> None:
    image = image_of(done_study)
    sign(clinician, image)
    assert wanted_of(image.readings.all()) == ""
    with pytest.raises(SigningConflictError, match="has been read by clinician"):
        sign(radiologist, image)
    page = page_of(radiologist, done_study)
    assert "data-reading" not in page
    assert "Signed by clinician" in page


@pytest.mark.parametrize("said", ["agree", "disagree"])
def test_no_filter_and_no_figure_tells_the_second_reader_what_the_first_one_said(
    clinician: User, radiologist: User, auditor: User, done_study: Study, settings: LazySettings, said: str
) -> None:
    image, wanted = image_of(done_study), HistoryFilter(reading=said)
    today = Period(timezone.localdate(), timezone.localdate())
    sign(clinician, image, "PNEUMONIA" if said == "agree" else "NORMAL")

    def known_to(user: User) -> tuple[int, int, int, int, int]:
        cases = caseload.agreement(caseload.scope_of(user), today).share.of
        listed, exported = len(history_page(user, wanted).jobs), find_jobs(user, wanted).count()
        return listed, exported, find_studies(user, wanted).count(), cases, sighted_agreement(user).kappa.cases

    assert known_to(radiologist) == (1, 1, 1, 1, 1)
    settings.CXR_SECOND_READER = True
    assert known_to(radiologist) == (0, 0, 0, 0, 0)
    assert known_to(clinician) == (1, 1, 1, 1, 1)
    assert known_to(auditor)[3:] == (1, 1)
    sign(radiologist, image, "NORMAL")
    assert known_to(radiologist)[:4] == (1, 1, 1, 1)


@pytest.mark.usefixtures("_two_readers")
def test_the_second_reader_reads_without_knowing_what_the_first_one_said(
    clinician: User, radiologist: User, done_study: Study
) -> None:
    image = image_of(done_study)
    sign(clinician, image, "OTHER", text="A broken rib.")
    page = page_of(radiologist, done_study)
    assert "Second reading wanted" in page
    assert "clinician has signed a reading." in page
    assert "A broken rib." not in page
    assert "Signed by clinician" not in page
    assert sign(radiologist, image, "OTHER").part == "second"
    assert "A broken rib." in page_of(radiologist, done_study)


@pytest.mark.usefixtures("_two_readers")
def test_where_both_agree_the_first_reading_counts_and_nothing_is_wanted(
    clinician: User, radiologist: User, arbiter: User, done_study: Study
) -> None:
    image = image_of(done_study)
    first = sign(clinician, image, "NORMAL")
    sign(radiologist, image, "NORMAL")
    assert final_readings([image.pk]).get(image.pk) == first
    assert wanted_of(image.readings.all()) == ""
    assert part_of(arbiter, list(image.readings.all())) is None


@pytest.mark.usefixtures("_two_readers")
def test_where_they_differ_somebody_else_sees_both_and_decides(
    clinician: User, outsider: User, radiologist: User, arbiter: User, done_study: Study
) -> None:
    image = image_of(done_study)
    first = sign(clinician, image, "NORMAL", text="Clear to me.")
    second = sign(radiologist, image, "PNEUMONIA", text="Left base.")
    readings = list(image.readings.all())
    assert final_readings([image.pk]).get(image.pk) == first
    assert wanted_of(readings) == "Arbitration wanted"
    assert part_of(outsider, readings) is None
    page = page_of(arbiter, done_study)
    assert "Arbitration" in page
    assert "Clear to me." in page
    assert "Left base." in page
    decision = sign(arbiter, image, "PNEUMONIA")
    assert decision.part == "arbiter"
    assert final_readings([image.pk]).get(image.pk) == decision
    assert wanted_of(image.readings.all()) == ""
    sign(clinician, image, "PNEUMONIA", replaces=first.pk)
    assert final_readings([image.pk]).get(image.pk) == decision
    assert {reading.part for reading in (first, second, decision)} == {"first", "second", "arbiter"}


@pytest.mark.usefixtures("_two_readers")
def test_nobody_is_two_readers(clinician: User, radiologist: User, done_study: Study) -> None:
    image = image_of(done_study)
    sign(clinician, image)
    with pytest.raises(SigningConflictError):
        sign(clinician, image)
    sign(radiologist, image, "NORMAL")
    with pytest.raises(SigningConflictError):
        sign(radiologist, image)


@pytest.mark.usefixtures("_two_readers")
def test_an_outsider_reads_nothing_second(outsider: User, clinician: User, done_study: Study) -> None:
    sign(clinician, image_of(done_study))
    url = reverse("sign", args=[image_of(done_study).pk])
    assert browser_of(outsider).post(url, {"finding": "NORMAL"}).status_code == 404


@pytest.mark.usefixtures("_two_readers")
def test_an_edit_that_settles_it_needs_no_arbiter(clinician: User, radiologist: User, done_study: Study) -> None:
    image = image_of(done_study)
    first = sign(clinician, image, "NORMAL")
    sign(radiologist, image, "PNEUMONIA")
    edit = sign(clinician, image, "PNEUMONIA", replaces=first.pk)
    assert wanted_of(image.readings.all()) == ""
    assert final_readings([image.pk]).get(image.pk) == edit


@pytest.mark.usefixtures("_two_readers")
def test_no_list_report_or_export_tells_the_second_reader_what_the_first_one_said(
    clinician: User, radiologist: User, done_study: Study
) -> None:
    sign(clinician, image_of(done_study), "OTHER", text="A broken rib.")
    browser, key = browser_of(radiologist), done_study.pk
    pages = [browser.get(reverse(name, args=[key])).content.decode() for name in ("report", "report_json")]
    for said in [*pages, export(browser)[1]]:
        assert "A broken rib." not in said
        assert "OTHER" not in said
    [case] = cases_of(radiologist, list(jobs_visible_to(radiologist)))
    assert case.reading is None
    sign(radiologist, image_of(done_study), "OTHER")
    assert "A broken rib." in browser.get(reverse("report", args=[key])).content.decode()


@pytest.mark.usefixtures("_two_readers")
def test_lists_show_the_reading_that_counts_whoever_edits_last(
    clinician: User, radiologist: User, arbiter: User, done_study: Study
) -> None:
    image = image_of(done_study)
    first = sign(clinician, image, "NORMAL")
    sign(radiologist, image, "PNEUMONIA")
    decision = sign(arbiter, image, "PNEUMONIA")
    sign(clinician, image, "NORMAL", replaces=first.pk, text="Still.")
    [case] = cases_of(arbiter, list(jobs_visible_to(arbiter)))
    assert case.reading == decision
