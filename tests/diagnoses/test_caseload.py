"""What the dashboard counts: days are the site's, cases are the history's, and others' are nobody's."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied

from diagnoses.forms import HistoryForm
from diagnoses.models import Job, ModelVersion, Profile, RejectedFile, Study
from diagnoses.models.job import Purpose
from diagnoses.models.reading import Agreement, Part
from diagnoses.roles import Role
from diagnoses.selectors import caseload
from diagnoses.selectors.caseload import Outcome, Scope, Turnaround, scope_of
from diagnoses.selectors.history import find_jobs
from diagnoses.selectors.periods import Period
from diagnoses.services.registry import report_worker
from diagnoses.states import JobStatus
from diagnoses.views.dashboard_parts import FILTERS
from tests.conftest import make_user
from tests.diagnoses.caseload import make_answer, make_case, sign
from tests.diagnoses.factory import queries_of

pytestmark = pytest.mark.django_db

DAY = Period(date(2026, 3, 10), date(2026, 3, 10))
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SITE = Scope(None, may_open=True)


def outcomes_of(scope: Scope, period: Period) -> dict[str, int]:
    found = caseload.together(period, caseload.outcomes(scope, period))
    return {kind.value: count for kind, count in found.counts.items() if count}


# Periods


def test_up_to_92_days_are_steps_of_a_day_and_more_are_weeks_from_monday() -> None:
    assert [step.since for step in Period(date(2026, 3, 1), date(2026, 3, 3)).steps()] == [
        date(2026, 3, 1),
        date(2026, 3, 2),
        date(2026, 3, 3),
    ]
    year = Period(date(2026, 1, 1), date(2026, 12, 31))  # from a Thursday to a Thursday
    steps = list(year.steps())
    assert steps[0] == Period(date(2026, 1, 1), date(2026, 1, 4))
    assert steps[1] == Period(date(2026, 1, 5), date(2026, 1, 11))
    assert steps[-1] == Period(date(2026, 12, 28), date(2026, 12, 31))
    assert sum(step.days for step in steps) == year.days == 365


def test_a_case_of_a_first_broken_week_counts_in_it(clinician: User, model_version: ModelVersion) -> None:
    make_answer(clinician, model_version, datetime(2026, 1, 2, 12, tzinfo=UTC))
    steps = caseload.outcomes(SITE, Period(date(2026, 1, 1), date(2026, 12, 31)))
    assert [step.total for step in steps] == [1] + [0] * (len(steps) - 1)


def test_a_day_is_the_sites_own(clinician: User, model_version: ModelVersion, settings: LazySettings) -> None:
    settings.TIME_ZONE = "Asia/Ho_Chi_Minh"  # seven hours before UTC
    make_answer(clinician, model_version, datetime(2026, 3, 9, 16, 59, 59, tzinfo=UTC))
    make_answer(clinician, model_version, datetime(2026, 3, 9, 17, 0, tzinfo=UTC))
    make_answer(clinician, model_version, datetime(2026, 3, 10, 16, 59, 59, tzinfo=UTC))
    make_answer(clinician, model_version, datetime(2026, 3, 10, 17, 0, tzinfo=UTC))
    steps = caseload.outcomes(SITE, Period(date(2026, 3, 9), date(2026, 3, 11)))
    assert [step.total for step in steps] == [1, 2, 1]


# Outcomes


def test_each_case_counts_as_what_became_of_it(clinician: User, model_version: ModelVersion) -> None:
    make_answer(clinician, model_version, NOON, "NORMAL")
    make_answer(clinician, model_version, NOON)
    make_answer(clinician, model_version, NOON)
    make_answer(clinician, model_version, NOON, "NORMAL", "band")
    for status in (JobStatus.REFUSED, JobStatus.FAILED, JobStatus.QUEUED, JobStatus.RUNNING):
        make_case(clinician, model_version, NOON, status)
    make_case(clinician, model_version, NOON, JobStatus.DONE, purpose=Purpose.SHADOW)
    assert outcomes_of(SITE, DAY) == {
        "normal": 1,
        "pneumonia": 2,
        "cannot_say": 1,
        "refused": 1,
        "failed": 1,
        "waiting": 2,
    }
    [step] = caseload.outcomes(SITE, DAY)
    assert (step.positive.count, step.positive.of) == (2, 4)


@pytest.mark.parametrize("kind", FILTERS)
def test_the_way_to_the_cases_leads_to_as_many_as_were_counted(
    clinician: User, model_version: ModelVersion, kind: Outcome
) -> None:
    for label in ("NORMAL", "PNEUMONIA", "PNEUMONIA"):
        make_answer(clinician, model_version, NOON, label)
    for _ in range(3):
        make_answer(clinician, model_version, NOON, "PNEUMONIA", "unstable")
    make_case(clinician, model_version, NOON, JobStatus.REFUSED)
    make_case(clinician, model_version, NOON, JobStatus.FAILED)
    make_answer(clinician, model_version, NOON + timedelta(days=1))
    form = HistoryForm(FILTERS[kind] | {"since": str(DAY.since), "until": str(DAY.until)})
    assert form.is_valid()
    assert find_jobs(clinician, form.wanted()).count() == outcomes_of(SITE, DAY)[kind]


def test_a_time_without_cases_has_its_steps_and_no_shares(db: None) -> None:
    [step] = caseload.outcomes(SITE, DAY)
    assert (step.total, step.positive.value, step.positive.low) == (0, None, None)
    assert caseload.turnaround(SITE, DAY)[0].routine == Turnaround(0, None, None)
    assert caseload.refusals(SITE, DAY).overridden.value is None
    assert caseload.agreement(SITE, DAY).share.value is None


# Whose cases


def test_a_clinician_counts_their_own_cases_and_who_may_those_of_the_site(
    clinician: User, outsider: User, auditor: User, administrator: User, model_version: ModelVersion
) -> None:
    make_answer(clinician, model_version, NOON)
    make_case(outsider, model_version, NOON, JobStatus.REFUSED)
    assert outcomes_of(scope_of(clinician), DAY) == {"pneumonia": 1}
    assert outcomes_of(scope_of(outsider), DAY) == {"refused": 1}
    radiologist = make_user("radiologist", Role.RADIOLOGIST)
    for user in (auditor, administrator, radiologist):
        assert outcomes_of(scope_of(user), DAY) == {"pneumonia": 1, "refused": 1}
    assert [scope_of(user).may_open for user in (clinician, auditor, administrator, radiologist)] == [
        True,
        False,
        False,
        True,
    ]


def test_nobody_has_figures(clinician: User) -> None:
    clinician.is_active = False
    for user in (AnonymousUser(), clinician):
        with pytest.raises(PermissionDenied):
            scope_of(user)


def test_nothing_of_an_outsiders_is_in_any_of_a_clinicians_figures(
    clinician: User, outsider: User, model_version: ModelVersion
) -> None:
    job = make_answer(outsider, model_version, NOON)
    sign(job, outsider, Agreement.AGREE)
    make_case(outsider, model_version, NOON, JobStatus.FAILED)
    refused = make_case(outsider, model_version, NOON, JobStatus.REFUSED)
    _reject(refused.image.study, "damaged")
    scope = scope_of(clinician)
    found = caseload.refusals(scope, DAY)
    assert (found.by_code, found.not_taken, found.overridden.of) == ([], [], 0)
    assert caseload.agreement(scope, DAY).share.of == 0
    assert caseload.health(scope, DAY).errors == []
    assert caseload.turnaround(scope, DAY)[0].routine.count == 0


def test_no_figure_gives_an_answer_away_to_who_reads_first(clinician: User, model_version: ModelVersion) -> None:
    Profile.objects.create(user=clinician, reads_first=True)
    unread, read = (make_answer(clinician, model_version, NOON) for _ in range(2))
    sign(read, clinician, Agreement.AGREE, answer_shown=False)
    make_case(clinician, model_version, NOON, JobStatus.REFUSED)
    assert outcomes_of(scope_of(clinician), DAY) == {"hidden": 1, "pneumonia": 1, "refused": 1}
    sign(unread, clinician, Agreement.DISAGREE, answer_shown=False)
    assert outcomes_of(scope_of(clinician), DAY) == {"pneumonia": 2, "refused": 1}


# Turnaround


def test_half_are_quicker_than_the_median_and_one_in_twenty_slower_than_the_percentile(
    clinician: User, model_version: ModelVersion
) -> None:
    for seconds in range(1, 22):
        make_case(clinician, model_version, NOON, ended_at=NOON + timedelta(seconds=seconds))
    make_case(clinician, model_version, NOON, urgent=True, ended_at=NOON + timedelta(seconds=0.5))
    whole, [step] = caseload.turnaround(SITE, DAY)
    assert whole.routine == step.routine == Turnaround(21, 11.0, 20.0)
    assert whole.urgent == step.urgent == Turnaround(1, 0.5, 0.5)


def test_what_failed_or_waited_for_a_person_is_no_turnaround(clinician: User, model_version: ModelVersion) -> None:
    make_case(clinician, model_version, NOON, JobStatus.FAILED)
    make_case(clinician, model_version, NOON, JobStatus.QUEUED)
    make_case(clinician, model_version, NOON, **_overridden("not_frontal"))
    assert caseload.turnaround(SITE, DAY)[0].routine.count == 0
    make_case(clinician, model_version, NOON, JobStatus.REFUSED)
    assert caseload.turnaround(SITE, DAY)[0].routine == Turnaround(1, 2.0, 2.0)


# Refusals


def test_refusals_are_counted_by_kind_and_overrides_as_a_share_of_the_gates(
    clinician: User, model_version: ModelVersion
) -> None:
    for code in ("not_frontal", "not_frontal", "inverted", "damaged"):
        job = make_case(clinician, model_version, NOON, JobStatus.REFUSED, error_code=code)
    make_answer(clinician, model_version, NOON, **_overridden("inverted"))
    _reject(job.image.study, "too_large")
    found = caseload.refusals(SITE, DAY)
    assert found.by_code == [("not_frontal", 2), ("damaged", 1), ("inverted", 1)]
    assert found.not_taken == [("too_large", 1)]
    assert (found.overridden.count, found.overridden.of) == (1, 4)
    assert found.count == 4


def test_where_all_is_refused_nothing_is_answered(clinician: User, model_version: ModelVersion) -> None:
    for _ in range(3):
        make_case(clinician, model_version, NOON, JobStatus.REFUSED, error_code="inverted")
    assert outcomes_of(SITE, DAY) == {"refused": 3}
    [step] = caseload.outcomes(SITE, DAY)
    assert step.positive.value is None
    assert caseload.refusals(SITE, DAY).overridden.value == 0


# Agreement


def test_the_first_readers_last_word_counts(clinician: User, outsider: User, model_version: ModelVersion) -> None:
    job = make_answer(clinician, model_version, NOON)
    first = sign(job, clinician, Agreement.DISAGREE, answer_shown=False)
    sign(job, clinician, Agreement.AGREE, replaces=first)
    sign(job, outsider, Agreement.DISAGREE, part=Part.SECOND)
    other = make_answer(clinician, model_version, NOON)
    sign(other, clinician, Agreement.CANNOT_TELL, answer_shown=False)
    found = caseload.agreement(SITE, DAY)
    assert found.counts == {Agreement.AGREE: 1, Agreement.CANNOT_TELL: 1}
    assert (found.share.count, found.share.of, found.answer_shown) == (1, 2, 1)


# Health


def test_health_says_what_waits_who_reads_and_what_failed_last(clinician: User, model_version: ModelVersion) -> None:
    make_case(clinician, model_version, NOON, JobStatus.QUEUED)
    make_case(clinician, model_version, NOON - timedelta(hours=1), JobStatus.QUEUED)
    make_case(clinician, model_version, NOON - timedelta(hours=2), JobStatus.QUEUED, purpose=Purpose.SHADOW)
    make_case(clinician, model_version, NOON, JobStatus.FAILED, error_code="worker_lost")
    make_case(clinician, model_version, NOON + timedelta(hours=1), JobStatus.FAILED, error_code="internal_error")
    report_worker(name="reader-1", model_versions=[model_version], engine="openvino")
    found = caseload.health(SITE, DAY)
    assert (found.waiting, found.oldest) == (2, NOON - timedelta(hours=1))
    assert [worker.name for worker in found.workers] == ["reader-1"]
    assert [(error.code, error.count) for error in found.errors] == [("internal_error", 1), ("worker_lost", 1)]


def test_no_part_sends_more_than_a_handful_of_statements(clinician: User, model_version: ModelVersion) -> None:
    make_answer(clinician, model_version, NOON)
    for count in (caseload.outcomes, caseload.turnaround, caseload.refusals, caseload.agreement, caseload.health):
        assert len(queries_of(lambda count=count: count(SITE, DAY))) <= 5  # type: ignore[misc]


def _overridden(code: str) -> dict[str, Any]:
    return {
        "override_code": code,
        "override_reason": "It is frontal.",
        "override_by": "clinician",
        "override_at": NOON,
    }


def _reject(study: Study, code: str) -> None:
    RejectedFile.objects.create(study=study, position=9, filename="x.png", code=code, message="No.")
    assert Job.objects.filter(image__study=study).exists()
