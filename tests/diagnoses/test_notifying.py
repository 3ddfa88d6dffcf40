"""Who is told of what when readings end: once, cheaply, and by everything that ends them."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.utils import timezone

from diagnoses.audit import user_actor
from diagnoses.models import Job, ModelVersion, Notification, Profile, Study
from diagnoses.models.job import Purpose
from diagnoses.models.people import NoticeKind
from diagnoses.roles import Role
from diagnoses.services.jobs import end_jobs
from diagnoses.services.notifying import mark_seen, tell_of_ends
from diagnoses.services.recovery import reconcile
from diagnoses.services.urgency import set_urgency
from diagnoses.states import JobStatus
from tests.conftest import make_user
from tests.diagnoses.claiming import complete_job, fail_job, refuse_job
from tests.diagnoses.factory import claim_of, make_job, make_model_version, make_study, outcome, queries_of

URGENT = NoticeKind.URGENT_PNEUMONIA
DONE = NoticeKind.BATCH_DONE


def told() -> list[tuple[str, str]]:
    return sorted(Notification.objects.values_list("user__username", "kind"))


def end_all(*studies: Study, **fields: Any) -> None:
    jobs = Job.objects.filter(image__study__in=studies, status=JobStatus.RUNNING)
    end_jobs(ends=[(claim_of(job), outcome(**fields)) for job in jobs])


def test_a_sender_is_told_once_all_of_a_study_is_answered(clinician: User, model_version: ModelVersion) -> None:
    study = make_study(clinician, model_version, JobStatus.RUNNING, JobStatus.RUNNING, JobStatus.RUNNING)
    first, second, third = Job.objects.order_by("image__position")
    complete_job(claim=claim_of(first), outcome=outcome())
    refuse_job(claim=claim_of(second), code="damaged", message="Damaged.")
    assert told() == []
    fail_job(claim=claim_of(third), code="internal_error", message="It broke.")
    assert told() == [("clinician", DONE)]
    assert Notification.objects.get().study == study


def test_what_is_still_queued_is_not_answered(clinician: User, model_version: ModelVersion) -> None:
    study = make_study(clinician, model_version, JobStatus.RUNNING, JobStatus.QUEUED)
    end_all(study)
    assert told() == []


def test_of_a_batch_the_sender_is_told_when_its_last_study_is_answered(
    clinician: User, model_version: ModelVersion
) -> None:
    batch = uuid.uuid4()
    first, second = (make_study(clinician, model_version, JobStatus.RUNNING, batch=batch) for _ in range(2))
    end_all(first)
    assert told() == []
    end_all(second)
    notice = Notification.objects.get()
    assert (notice.kind, notice.about, notice.study) == (DONE, str(batch), None)


def test_what_comes_later_in_the_same_go_is_told_again_in_the_same_notice(
    clinician: User, model_version: ModelVersion
) -> None:
    batch = uuid.uuid4()
    end_all(make_study(clinician, model_version, JobStatus.RUNNING, batch=batch))
    mark_seen(user=clinician)
    Notification.objects.update(mailed_at=timezone.now())
    end_all(make_study(clinician, model_version, JobStatus.RUNNING, batch=batch))
    notice = Notification.objects.get()
    assert (notice.seen_at, notice.mailed_at) == (None, None)


def test_a_shadow_and_another_opinion_tell_nobody_that_a_batch_is_done(
    clinician: User, model_version: ModelVersion
) -> None:
    study = make_study(clinician, model_version)
    for purpose in (Purpose.SHADOW, Purpose.REREAD):
        make_job(study, model_version, JobStatus.RUNNING, purpose=purpose)
    end_all(study)
    assert told() == []


def test_of_an_urgent_study_with_likely_pneumonia_its_sender_and_every_radiologist_are_told(
    clinician: User, outsider: User, radiologist: User, model_version: ModelVersion
) -> None:
    retired = make_user("retired", Role.RADIOLOGIST)
    User.objects.filter(pk=retired.pk).update(is_active=False)
    study = make_study(clinician, model_version, JobStatus.RUNNING, JobStatus.QUEUED, urgent=True)
    end_all(study)
    assert told() == [("clinician", URGENT), ("radiologist", URGENT)]
    assert set(Notification.objects.values_list("study", flat=True)) == {study.pk}


@pytest.mark.parametrize(
    ("urgent", "said"),
    [(False, {}), (True, {"label": "NORMAL"}), (True, {"indeterminate_reason": "band"})],
)
def test_of_what_is_not_urgent_or_not_likely_nobody_is_told_so(
    urgent: bool, said: dict[str, str], clinician: User, radiologist: User, model_version: ModelVersion
) -> None:
    end_all(make_study(clinician, model_version, JobStatus.RUNNING, urgent=urgent), **said)
    assert told() == [("clinician", DONE)]


def test_who_saw_an_urgent_notice_is_not_told_again_by_another_image(
    clinician: User, model_version: ModelVersion
) -> None:
    study = make_study(clinician, model_version, JobStatus.RUNNING, urgent=True)
    end_all(study)
    Notification.objects.update(seen_at=timezone.now())
    make_job(study, model_version, JobStatus.RUNNING)
    end_all(study)
    assert Notification.objects.get(kind=URGENT).seen_at


def say_urgent(study: Study, by: User, *, urgent: bool = True) -> None:
    set_urgency(actor=user_actor(by), studies=[study], urgent=urgent)


def test_a_study_that_is_said_to_be_urgent_after_its_answer_is_told_of_once(
    clinician: User, radiologist: User, model_version: ModelVersion
) -> None:
    study = make_study(clinician, model_version, JobStatus.DONE, JobStatus.QUEUED)
    say_urgent(study, clinician)
    assert told() == [("clinician", URGENT), ("radiologist", URGENT)]
    mark_seen(user=radiologist)
    say_urgent(study, clinician, urgent=False)
    say_urgent(study, clinician)
    assert len(told()) == 2
    assert Notification.objects.get(user=radiologist).seen_at


def test_that_a_study_is_not_urgent_any_more_is_told_nobody(clinician: User, model_version: ModelVersion) -> None:
    say_urgent(make_study(clinician, model_version, JobStatus.DONE, urgent=True), clinician, urgent=False)
    assert told() == []


def test_what_a_shadow_said_of_a_study_that_is_urgent_by_now_is_told_nobody(
    clinician: User, model_version: ModelVersion
) -> None:
    study = make_study(clinician, model_version)
    make_job(study, model_version, JobStatus.DONE, purpose=Purpose.SHADOW)
    say_urgent(study, clinician)
    assert told() == []


def test_a_job_that_the_scheduler_gives_up_counts_as_answered(clinician: User, model_version: ModelVersion) -> None:
    make_study(clinician, model_version, JobStatus.RUNNING)
    Job.objects.update(attempts=9, lease_until=Now() - timedelta(seconds=1))
    assert reconcile().abandoned == 1
    assert told() == [("clinician", DONE)]


def test_a_job_whose_model_is_gone_counts_as_answered(clinician: User, model_version: ModelVersion) -> None:
    gone = make_model_version("gone", available=False)
    study = make_study(clinician, model_version, JobStatus.DONE)
    make_study(clinician, gone, JobStatus.DONE)
    Job.objects.create(image=study.images.get(), model_version=gone)
    assert reconcile().withdrawn == 1
    assert told() == [("clinician", DONE)]


@pytest.mark.parametrize("count", [1, 16])
def test_telling_costs_a_few_statements_however_many_jobs_ended(
    count: int, clinician: User, radiologist: User, model_version: ModelVersion
) -> None:
    plain = make_study(clinician, model_version, *[JobStatus.DONE] * count)
    urgent = make_study(clinician, model_version, *[JobStatus.DONE] * count, urgent=True)
    assert _cost_of(plain) == 4
    assert _cost_of(urgent) == 8
    make_job(plain, model_version, JobStatus.QUEUED)
    assert _cost_of(plain) == 1


def _cost_of(study: Study) -> int:
    """How many statements it takes to tell of the ends of its jobs, without those of the test's own transaction."""
    ended = Job.objects.filter(image__study=study, status=JobStatus.DONE).select_related("image__study")
    jobs = list(ended)
    return len([sql for sql in queries_of(lambda: tell_of_ends(jobs)) if "SAVEPOINT" not in sql])


@pytest.mark.parametrize("label", ["PNEUMONIA", "NORMAL"])
def test_who_reads_first_is_told_of_every_urgent_answer_and_so_of_none(
    clinician: User, model_version: ModelVersion, label: str
) -> None:
    Profile.objects.create(user=clinician, reads_first=True)
    study = make_study(clinician, model_version, JobStatus.RUNNING, urgent=True)
    complete_job(claim=claim_of(Job.objects.get()), outcome=outcome(label=label))
    notice = Notification.objects.get(study=study, kind=NoticeKind.URGENT_ANSWERED)
    assert notice.user == clinician
    assert not Notification.objects.filter(kind=NoticeKind.URGENT_PNEUMONIA).exists()
