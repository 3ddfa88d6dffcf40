"""The worklist: whose studies are on it, in which order, what it says of each, and what it costs."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from diagnoses.filters import WorklistFilter
from diagnoses.models import Job, ModelVersion, Profile, Reading, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import Purpose
from diagnoses.models.reading import Finding, Part
from diagnoses.roles import Role
from diagnoses.selectors import worklist as selector
from diagnoses.selectors.worklist import in_need, page_of
from diagnoses.states import JobStatus
from tests.conftest import make_user
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import last_event, make_job, make_job_of, make_result, make_study, queries_of


def make_answered(owner: User, model_version: ModelVersion, patient: str, **result: Any) -> Study:
    """A study of one image that this was said of."""
    study = make_study(owner, model_version, JobStatus.RUNNING, patient_id=patient)
    job = Job.objects.get(image__study=study)
    make_result(job, **result)
    Job.objects.filter(pk=job.pk).update(status=JobStatus.DONE, lease_until=None)
    return study


def sign(study: Study, reader: User, part: Part = Part.FIRST, finding: Finding = Finding.NORMAL) -> None:
    for image in study.images.all():
        Reading.objects.create(
            image=image,
            reader=reader,
            reader_name=reader.username,
            part=part,
            finding=finding,
            answer_shown=True,
            replaces=Reading.objects.filter(image=image, reader=reader, replaced_by=None).first(),
        )


def patients_for(user: User, query: str = "") -> list[str]:
    wanted = WorklistFilter(QueryDict(query), user=user)
    assert wanted.form.is_valid(), wanted.errors
    ids, _total = page_of(wanted.qs, 1)
    patients = {study.pk: study.patient_id for study in Study.objects.all()}
    return [patients[pk] for pk in ids]


def get(client: Client, query: str = "") -> str:
    response = client.get(f"{reverse('worklist')}?{query}")
    assert response.status_code == 200
    return unescape(response.content.decode())


def row_of(page: str, study: Study) -> str:
    found = re.search(rf'<tr id="study-{study.pk}".*?</tr>', page, re.DOTALL)
    assert found
    return found[0]


def shown_on(page: str) -> list[tuple[str, str]]:
    return [(f"{key}~{state}", key) for key, state in re.findall(r'data-study="([^"]+)" data-state="([^"]+)"', page)]


@pytest.fixture
def one_of_each(clinician: User, model_version: ModelVersion) -> dict[str, Study]:
    """Made in an order that is not the list's."""
    studies = {
        "normal": make_answered(clinician, model_version, "normal", label="NORMAL", probability=0.02),
        "waiting": make_study(clinician, model_version, JobStatus.QUEUED, patient_id="waiting"),
        "failed": make_study(clinician, model_version, JobStatus.FAILED, patient_id="failed"),
        "refused": make_study(clinician, model_version, JobStatus.REFUSED, patient_id="refused"),
        "doubt": make_answered(clinician, model_version, "doubt", indeterminate_reason="band", probability=0.5),
        "pneumonia": make_answered(clinician, model_version, "pneumonia"),
        "urgent": make_answered(clinician, model_version, "urgent", label="NORMAL", probability=0.01),
    }
    Study.objects.filter(pk=studies["urgent"].pk).update(urgent=True)
    return studies


IN_ORDER = ["urgent", "pneumonia", "doubt", "refused", "failed", "waiting", "normal"]


def test_what_needs_a_person_first_stands_first(clinician: User, one_of_each: dict[str, Study]) -> None:
    assert patients_for(clinician) == IN_ORDER


def test_of_what_needs_the_same_the_oldest_stands_first(clinician: User, model_version: ModelVersion) -> None:
    for hours in (1, 3, 2):
        study = make_answered(clinician, model_version, f"{hours}")
        Study.objects.filter(pk=study.pk).update(created_at=timezone.now() - timedelta(hours=hours))
    assert patients_for(clinician) == ["3", "2", "1"]


def test_a_study_stands_where_its_worst_image_does(clinician: User, model_version: ModelVersion) -> None:
    make_study(clinician, model_version, JobStatus.REFUSED, patient_id="refused")
    study = make_answered(clinician, model_version, "two images", label="NORMAL", probability=0.1)
    make_job(study, model_version, JobStatus.DONE)
    assert patients_for(clinician) == ["two images", "refused"]


def test_the_latest_reading_counts_and_no_shadow(
    clinician: User, model_version: ModelVersion, xception: ModelVersion
) -> None:
    make_study(clinician, model_version, JobStatus.REFUSED, patient_id="refused")
    study = make_answered(clinician, model_version, "read twice")
    image = study.images.get()
    later = timezone.now() + timedelta(seconds=5)
    make_job_of(image, xception, JobStatus.FAILED, created_at=later)
    assert patients_for(clinician) == ["refused", "read twice"]
    Job.objects.filter(model_version=xception).update(purpose=Purpose.SHADOW)
    assert patients_for(clinician) == ["read twice", "refused"]


def test_what_a_person_has_read_goes_behind_all_else_and_off_the_usual_list(
    clinician: User, one_of_each: dict[str, Study]
) -> None:
    sign(one_of_each["urgent"], clinician)
    assert patients_for(clinician) == IN_ORDER[1:]
    assert patients_for(clinician, "read=all") == [*IN_ORDER[1:], "urgent"]
    assert patients_for(clinician, "read=read") == ["urgent"]


def test_a_study_is_unread_until_each_of_its_images_is_read(clinician: User, model_version: ModelVersion) -> None:
    study = make_answered(clinician, model_version, "two images")
    sign(study, clinician)
    make_job(study, model_version, JobStatus.QUEUED)
    assert patients_for(clinician) == ["two images"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("verdict=1", ["pneumonia"]),
        ("verdict=2", ["doubt"]),
        ("verdict=6", ["urgent", "normal"]),
        ("state=refused", ["refused"]),
        ("state=queued", ["waiting"]),
        ("urgent=1", ["urgent"]),
        ("urgent=0", IN_ORDER[1:]),
        ("model=mobilenet_v2", IN_ORDER),
        ("search=PNEUMONIA", ["pneumonia"]),
        ("search=chest-0", IN_ORDER),
        ("search=pneumonia&urgent=1", []),
    ],
)
def test_each_filter_leaves_what_it_asks_for(
    query: str, expected: list[str], clinician: User, one_of_each: dict[str, Study]
) -> None:
    assert patients_for(clinician, query) == expected


def test_what_was_sent_before_the_chosen_time_is_not_listed(clinician: User, done_study: Study) -> None:
    before = timezone.now() - timedelta(days=40)
    Study.objects.update(created_at=before)
    assert patients_for(clinician) == []
    Job.objects.update(created_at=before)
    assert patients_for(clinician, "period=90") == ["P-0001"]


@pytest.mark.parametrize("query", ["period=31", "verdict=9", "state=lost", "model=nobody", "read=maybe"])
def test_a_wrong_filter_is_said_to_be_wrong(browser: Client, done_study: Study, query: str) -> None:
    response = browser.get(f"{reverse('worklist')}?{query}")
    assert response.status_code == 400
    assert b"Select a valid choice" in response.content


def test_an_outsider_sees_nothing_and_a_radiologist_everything(
    outsider: User, radiologist: User, done_study: Study
) -> None:
    assert patients_for(outsider) == []
    assert patients_for(radiologist) == ["P-0001"]


def test_a_row_says_who_what_when_and_how_sure(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    study = make_answered(clinician, model_version, "P-7", probability=0.731)
    make_job(study, model_version, JobStatus.REFUSED)
    sign(study, clinician)
    row = row_of(get(browser, "read=all"), study)
    for words in ("P-7", "Pneumonia", "73.1 %", "Refused", ">clinician<"):
        assert words in row, words
    assert re.search(r'data-label="Images"><span>2\b', row)


def test_an_answer_that_is_hidden_is_neither_shown_nor_told_by_order_or_filter(
    clinician: User, one_of_each: dict[str, Study]
) -> None:
    Profile.objects.create(user=clinician, reads_first=True)
    page = get(browser_of(clinician))
    hidden = row_of(page, one_of_each["pneumonia"])
    assert "Hidden until you have read" in hidden
    assert "Pneumonia" not in hidden
    assert "93.1" not in hidden
    assert patients_for(clinician, "verdict=1") == []
    # Beside what waits, the oldest first; that one of them is normal does not put it last.
    assert patients_for(clinician) == ["urgent", "refused", "failed", "normal", "waiting", "doubt", "pneumonia"]


def test_where_second_readers_are_wanted_a_study_is_unread_until_both_have_signed(
    clinician: User, radiologist: User, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_SECOND_READER = True
    study = make_answered(clinician, model_version, "TWO")
    sign(study, clinician)
    assert patients_for(radiologist) == ["TWO"]
    sign(study, radiologist, Part.SECOND)
    assert patients_for(radiologist) == []


def test_where_two_readers_differ_a_study_is_unread_until_an_arbiter_has_signed(
    clinician: User, radiologist: User, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_SECOND_READER = True
    study = make_answered(clinician, model_version, "DISPUTED")
    sign(study, clinician)
    sign(study, radiologist, Part.SECOND, Finding.PNEUMONIA)
    assert patients_for(radiologist) == ["DISPUTED"]
    sign(study, make_user("arbiter", Role.RADIOLOGIST), Part.ARBITER)
    assert patients_for(radiologist) == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [((Finding.PNEUMONIA, Finding.NORMAL), []), ((Finding.NORMAL, Finding.PNEUMONIA), ["CHANGED"])],
)
def test_readers_differ_by_what_they_say_now_and_not_by_what_they_said_before(
    said: tuple[Finding, ...],
    expected: list[str],
    clinician: User,
    radiologist: User,
    model_version: ModelVersion,
    settings: LazySettings,
) -> None:
    settings.CXR_SECOND_READER = True
    study = make_answered(clinician, model_version, "CHANGED")
    sign(study, clinician)
    for finding in said:
        sign(study, radiologist, Part.SECOND, finding)
    assert patients_for(radiologist) == expected


def test_a_site_without_second_readers_waits_for_no_arbiter(
    clinician: User, radiologist: User, model_version: ModelVersion
) -> None:
    study = make_answered(clinician, model_version, "ONE")
    sign(study, clinician)
    sign(study, radiologist, Part.SECOND, Finding.PNEUMONIA)
    assert patients_for(radiologist) == []


def test_the_database_itself_hides_answers_from_the_lists_order(clinician: User, one_of_each: dict[str, Study]) -> None:
    Profile.objects.create(user=clinician, reads_first=True)
    statements = queries_of(lambda: page_of(in_need(clinician, timezone.now() - timedelta(days=1)), 1))
    assert len([sql for sql in statements if "diagnoses_job" in sql]) == 1
    sign(one_of_each["pneumonia"], clinician)
    assert patients_for(clinician, "verdict=1&read=all") == ["pneumonia"]


@pytest.mark.parametrize(("second_reader", "expected"), [(True, []), (False, ["SECOND"])])
def test_order_and_filter_tell_no_second_reader_an_answer_before_their_own(
    second_reader: bool,
    expected: list[str],
    clinician: User,
    radiologist: User,
    model_version: ModelVersion,
    settings: LazySettings,
) -> None:
    settings.CXR_SECOND_READER = second_reader
    Profile.objects.create(user=radiologist, reads_first=True)
    sign(make_answered(clinician, model_version, "SECOND"), clinician)
    assert patients_for(radiologist, "verdict=1&read=all") == expected


def test_a_hidden_answer_is_shown_once_its_reader_has_read(
    clinician: User, radiologist: User, done_study: Study
) -> None:
    Profile.objects.create(user=clinician, reads_first=True)
    sign(done_study, clinician)
    assert "Pneumonia</span>" in row_of(get(browser_of(clinician), "read=all"), done_study)


def test_a_page_costs_as_many_queries_for_many_rows_as_for_one(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    make_study(clinician, model_version, JobStatus.DONE)
    get(browser)
    few = len(queries_of(lambda: get(browser)))
    for _ in range(5):
        make_study(clinician, model_version, JobStatus.DONE, JobStatus.REFUSED)
    assert len(queries_of(lambda: get(browser))) == few


def test_pages_follow_each_other_and_keep_the_filter(
    browser: Client, clinician: User, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selector, "PAGE_SIZE", 2)
    monkeypatch.setattr("diagnoses.views.worklist.PAGE_SIZE", 2)
    for _ in range(3):
        make_study(clinician, model_version, JobStatus.DONE)
    first = get(browser, "urgent=0")
    assert "3 studies" in first
    assert "Page 1 of 2" in first
    second = get(browser, "urgent=0&page=2")
    assert re.search(r'rel="next" href="/\?urgent=0&page=2"', first)
    assert len(shown_on(second)) == 1
    assert not {key for _, key in shown_on(first)} & {key for _, key in shown_on(second)}


def test_seeing_the_list_is_on_record(browser: Client, clinician: User, done_study: Study) -> None:
    get(browser)
    event = last_event(AuditAction.WORKLIST_VIEWED)
    assert (event.actor_id, event.detail) == (clinician.pk, {"found": 1, "filter": {"period": "30", "read": "unread"}})


def test_who_has_nothing_yet_is_shown_what_to_do(browser: Client) -> None:
    page = get(browser)
    assert "Try it with a sample" in page
    assert 'id="worklist-filter"' not in page


def test_who_has_read_everything_is_told_so(browser: Client, clinician: User, done_study: Study) -> None:
    sign(done_study, clinician)
    assert "All is read." in get(browser)
    assert "No study matches." in get(browser, "urgent=1")


def changes(client: Client, *shown: str, query: str = "") -> str:
    response = client.get(f"{reverse('worklist_changes')}?{query}", {"shown": shown} if not query else None)
    assert response.status_code == 200
    return unescape(response.content.decode())


def test_an_open_page_gets_the_rows_that_changed_and_no_others(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    still = make_study(clinician, model_version, JobStatus.DONE)
    moving = make_study(clinician, model_version, JobStatus.QUEUED)
    shown = [entry for entry, _ in shown_on(get(browser))]
    assert "<tr" not in changes(browser, *shown)
    Job.objects.filter(image__study=moving).update(status=JobStatus.REFUSED)
    answer = changes(browser, *shown)
    assert "Refused" in row_of(answer, moving)
    assert str(still.pk) not in answer


def test_an_open_page_is_told_how_many_are_new(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    make_study(clinician, model_version, JobStatus.DONE)
    shown = [entry for entry, _ in shown_on(get(browser))]
    assert "new:" not in changes(browser, *shown)
    for _ in range(3):
        make_study(clinician, model_version, JobStatus.QUEUED)
    assert "3 new:" in changes(browser, *shown)


def test_an_open_page_gets_nothing_of_a_study_that_it_may_not_see(outsider: User, done_study: Study) -> None:
    answer = changes(browser_of(outsider), f"{done_study.pk}~0")
    assert "<tr" not in answer
    assert "P-0001" not in answer


def test_rows_that_are_none_are_refused(browser: Client) -> None:
    assert browser.get(reverse("worklist_changes"), {"shown": "nonsense"}).status_code == 400
