"""A department's members see what each of them sends from it, and nobody else does."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from diagnoses.models import Department, Export, Job, ModelVersion, Notification, Profile, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.people import NoticeKind
from diagnoses.roles import Role
from diagnoses.selectors import words
from diagnoses.selectors.caseload import cases_of, scope_of
from diagnoses.selectors.exports import may_fetch
from diagnoses.selectors.history import find_jobs, find_studies, history_page
from diagnoses.selectors.notices import unseen_count
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.selectors.studies import visible_to
from diagnoses.states import JobStatus
from tests.conftest import make_user
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import last_event, make_export, make_study
from tests.diagnoses.panel import change_user


@pytest.fixture
def ward(clinician: User) -> Department:
    department = Department.objects.create(name="Ward A")
    put(clinician, department)
    return department


@pytest.fixture
def colleague(ward: Department) -> User:
    user = make_user("colleague", Role.CLINICIAN)
    put(user, ward)
    return user


@pytest.fixture
def study(clinician: User, ward: Department, model_version: ModelVersion) -> Study:
    return make_study(clinician, model_version, JobStatus.DONE, patient_id="P-0001", department=ward)


def put(user: User, department: Department | None) -> None:
    Profile.objects.update_or_create(user=user, defaults={"department": department})


def test_a_colleague_sees_it_in_each_list(colleague: User, study: Study) -> None:
    browser = browser_of(colleague)
    for name in ("worklist", "history"):
        assert "P-0001" in browser.get(reverse(name)).content.decode()
    assert browser.get(reverse("study", args=[study.pk])).status_code == 200


@pytest.mark.parametrize("near", [True, False], ids=["among the nearest", "by an index"])
@pytest.mark.parametrize(
    "wanted", [HistoryFilter(), HistoryFilter(search="p-0001"), HistoryFilter(patient_id="P-0001")]
)
def test_its_history_is_that_of_all_its_members(
    colleague: User, outsider: User, study: Study, wanted: HistoryFilter, near: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not near:
        monkeypatch.setattr(words, "look_through", lambda *_: None)
    for user, found in ((colleague, 1), (outsider, 0)):
        assert len(history_page(user, wanted).jobs) == find_jobs(user, wanted).count() == found
        assert find_studies(user, wanted).count() == found


def test_own_means_own(colleague: User, clinician: User, study: Study) -> None:
    own = HistoryFilter(own=True)
    assert (find_jobs(clinician, own).count(), find_jobs(colleague, own).count()) == (1, 0)
    assert (len(history_page(clinician, own).jobs), len(history_page(colleague, own).jobs)) == (1, 0)
    assert (cases_of(scope_of(clinician)).count(), cases_of(scope_of(colleague)).count()) == (1, 0)


def test_who_moves_keeps_what_they_sent_and_leaves_the_rest_behind(
    colleague: User, clinician: User, study: Study
) -> None:
    for user in (colleague, clinician):
        put(user, Department.objects.get_or_create(name="Ward B")[0])
    for user, found in ((clinician, [study]), (colleague, [])):
        assert list(visible_to(user)) == list(find_studies(user, HistoryFilter())) == found
        assert len(history_page(user, HistoryFilter()).jobs) == len(found)


def test_what_is_sent_without_a_department_is_its_senders_alone(
    colleague: User, clinician: User, model_version: ModelVersion
) -> None:
    alone = make_study(clinician, model_version, JobStatus.DONE)
    assert list(visible_to(clinician)) == [alone]
    assert [job.image.study for job in history_page(clinician, HistoryFilter()).jobs] == [alone]
    assert not visible_to(colleague).exists()


def test_a_closed_department_counts_as_none(colleague: User, clinician: User, ward: Department, study: Study) -> None:
    Department.objects.update(active=False)
    assert not visible_to(colleague).exists()
    assert list(visible_to(clinician)) == [study]


def test_a_job_carries_its_circle_whatever_a_writer_says(
    clinician: User, ward: Department, study: Study, model_version: ModelVersion
) -> None:
    alone = make_study(clinician, model_version, JobStatus.DONE)
    Job.objects.update(circle=0)
    assert Job.objects.get(image__study=study).circle == ward.pk
    assert Job.objects.get(image__study=alone).circle == -clinician.pk


def test_a_packed_export_stays_in_the_department(colleague: User, ward: Department) -> None:
    export = make_export(colleague, department=ward)
    assert may_fetch(colleague, export)
    put(colleague, None)
    assert not may_fetch(colleague, Export.objects.get())


def test_who_may_see_studies_no_more_has_no_notice_no_figure_and_no_export_of_theirs(
    clinician: User, study: Study
) -> None:
    export = make_export(clinician)
    Notification.objects.create(user=clinician, kind=NoticeKind.BATCH_DONE, about=str(study.pk), study=study)
    assert (unseen_count(clinician), cases_of(scope_of(clinician)).count()) == (1, 1)
    clinician.groups.clear()
    nobody = User.objects.get(pk=clinician.pk)
    assert not visible_to(nobody).exists()
    assert (unseen_count(nobody), cases_of(scope_of(nobody)).count()) == (0, 0)
    assert not may_fetch(nobody, export)
    assert not history_page(nobody, HistoryFilter()).jobs


def test_an_administrator_puts_a_user_in_a_department_on_record(administrator: User, outsider: User) -> None:
    department = Department.objects.create(name="Ward C")
    change_user(browser_of(administrator), outsider, **{"profile-0-department": department.pk})
    assert Profile.objects.get(user=outsider).department == department
    event = last_event(AuditAction.PERMISSIONS_CHANGED)
    assert (event.object_id, event.detail) == (str(outsider.pk), {"department": "Ward C"})
