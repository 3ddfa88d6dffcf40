"""The moves of a job: the legal ones, and that there are no others."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from diagnoses.models import Job, JobTransition, ModelVersion, Study
from diagnoses.states import ENDED, LEGAL_MOVES, JobStatus, Move, is_legal
from diagnoses.transitions import move_jobs
from tests.diagnoses.factory import make_job, make_study, row

# The design's table, written down a second time so that a slip in one of them shows.
LEGAL = {
    (Move.CLAIM, JobStatus.QUEUED): JobStatus.RUNNING,
    (Move.COMPLETE, JobStatus.RUNNING): JobStatus.DONE,
    (Move.REFUSE, JobStatus.RUNNING): JobStatus.REFUSED,
    (Move.FAIL, JobStatus.RUNNING): JobStatus.FAILED,
    (Move.RECOVER, JobStatus.RUNNING): JobStatus.QUEUED,
    (Move.ABANDON, JobStatus.RUNNING): JobStatus.FAILED,
    (Move.RETRY, JobStatus.FAILED): JobStatus.QUEUED,
    (Move.RETRY, JobStatus.REFUSED): JobStatus.QUEUED,
    (Move.OVERRIDE, JobStatus.REFUSED): JobStatus.QUEUED,
    (Move.RETARGET, JobStatus.QUEUED): JobStatus.QUEUED,
    (Move.WITHDRAW, JobStatus.QUEUED): JobStatus.FAILED,
}
PAIRS = list(product(Move, JobStatus))
ILLEGAL = [pair for pair in PAIRS if pair not in LEGAL]


@pytest.fixture
def study(clinician: User, model_version: ModelVersion) -> Study:
    return make_study(clinician, model_version)


def changes_of(move: Move) -> dict[str, Any]:
    return {"lease_until": Now() + timedelta(seconds=30)} if move is Move.CLAIM else {}


@pytest.mark.parametrize(("move", "source"), PAIRS)
def test_the_table_holds_the_designs_moves_and_no_others(move: Move, source: JobStatus) -> None:
    assert is_legal(move, source) is ((move, source) in LEGAL)


@pytest.mark.parametrize(("move", "source"), LEGAL)
def test_a_move_leads_where_the_design_says(move: Move, source: JobStatus) -> None:
    assert LEGAL_MOVES[move][1] is LEGAL[move, source]


@pytest.mark.parametrize(("move", "source"), LEGAL)
def test_a_legal_move_changes_the_job(study: Study, model_version: ModelVersion, move: Move, source: JobStatus) -> None:
    job = make_job(study, model_version, source)
    [moved] = move_jobs(Job.objects.filter(pk=job.pk), move, by="somebody", **changes_of(move))
    job.refresh_from_db()
    target = LEGAL[move, source]
    assert (moved.pk, moved.status) == (job.pk, target)
    assert job.status == target
    assert (job.lease_until is not None) is (target is JobStatus.RUNNING)
    assert (job.ended_at is not None) is (target in ENDED)


@pytest.mark.parametrize("urgent", [True, False])
@pytest.mark.parametrize(
    ("move", "source"),
    [(Move.RETRY, JobStatus.FAILED), (Move.OVERRIDE, JobStatus.REFUSED), (Move.RECOVER, JobStatus.RUNNING)],
)
def test_a_job_that_is_queued_again_is_as_urgent_as_its_study_is_now(
    clinician: User, model_version: ModelVersion, move: Move, source: JobStatus, urgent: bool
) -> None:
    studies = [make_study(clinician, model_version, urgent=each) for each in (urgent, not urgent)]
    job, other = (make_job(each, model_version, source, urgent=not each.urgent) for each in studies)
    moved = move_jobs(Job.objects.filter(pk__in=[job.pk, other.pk]), move, by="somebody")
    assert {each.pk: each.urgent for each in moved} == {job.pk: urgent, other.pk: not urgent}


@pytest.mark.parametrize(("move", "source"), LEGAL)
def test_a_legal_move_appends_exactly_one_transition(
    study: Study, model_version: ModelVersion, move: Move, source: JobStatus
) -> None:
    job = make_job(study, model_version, source)
    move_jobs(Job.objects.filter(pk=job.pk), move, by="somebody", detail="a reason", **changes_of(move))
    [transition] = JobTransition.objects.values("job", "move", "source", "target", "token", "by", "detail")
    assert transition == {
        "job": job.pk,
        "move": move,
        "source": source,
        "target": LEGAL[move, source],
        "token": job.token,
        "by": "somebody",
        "detail": "a reason",
    }


@pytest.mark.parametrize(("move", "source"), ILLEGAL)
def test_an_illegal_move_changes_nothing_and_leaves_no_transition(
    study: Study, model_version: ModelVersion, move: Move, source: JobStatus
) -> None:
    job = make_job(study, model_version, source)
    before = row(job)
    changes = {"error_code": "never", **changes_of(move)}
    assert move_jobs(Job.objects.filter(pk=job.pk), move, by="somebody", **changes) == []
    assert row(job) == before
    assert not JobTransition.objects.exists()


def test_of_many_candidates_only_those_that_may_move_do(study: Study, model_version: ModelVersion) -> None:
    jobs = {status: make_job(study, model_version, status) for status in JobStatus}
    moved = move_jobs(Job.objects.all(), Move.RETRY, by="somebody")
    assert {job.pk for job in moved} == {jobs[JobStatus.FAILED].pk, jobs[JobStatus.REFUSED].pk}
    transitions = JobTransition.objects.values_list("job", "source")
    assert set(transitions) == {(jobs[status].pk, status) for status in (JobStatus.FAILED, JobStatus.REFUSED)}


def test_each_move_of_a_life_leaves_its_transition_in_order(study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version)
    life = [Move.CLAIM, Move.RECOVER, Move.CLAIM, Move.FAIL, Move.RETRY, Move.CLAIM, Move.COMPLETE]
    for move in life:
        assert move_jobs(Job.objects.filter(pk=job.pk), move, by="somebody", **changes_of(move))
    transitions = list(job.transitions.order_by("id"))
    assert [transition.move for transition in transitions] == life
    assert [transition.target for transition in transitions[:-1]] == [
        transition.source for transition in transitions[1:]
    ]


def test_a_move_that_cannot_be_put_on_record_does_not_happen(study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version, JobStatus.FAILED)
    before = row(job)
    with pytest.raises(ValueError, match="NUL"):
        move_jobs(Job.objects.filter(pk=job.pk), Move.RETRY, by="somebody", detail="\0")
    assert row(job) == before


@pytest.mark.parametrize("status", JobStatus)
def test_the_database_ties_the_lease_to_running(study: Study, model_version: ModelVersion, status: JobStatus) -> None:
    job = make_job(study, model_version)
    wrong_lease = None if status is JobStatus.RUNNING else Now()
    with pytest.raises(IntegrityError, match="job_lease_while_running"), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(status=status, lease_until=wrong_lease)
