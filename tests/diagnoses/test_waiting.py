"""The queue as those see it who wait in it: what is before them, and for how long."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from diagnoses.models import Job, JobTransition, ModelVersion, Study
from diagnoses.models.job import Purpose
from diagnoses.selectors.studies import study_state
from diagnoses.selectors.waiting import Waiting, images_per_second, queued_count, waiting_of
from diagnoses.states import JobStatus, Move
from tests.diagnoses.factory import make_job, make_study

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def study(clinician: User, model_version: ModelVersion) -> Study:
    return make_study(clinician, model_version)


@pytest.fixture
def others(outsider: User, model_version: ModelVersion) -> Study:
    return make_study(outsider, model_version)


def waiting(user: User, study: Study) -> Waiting | None:
    return waiting_of(study_state(user, study.pk))


def ended(job: Job, *, seconds_ago: Sequence[float], move: Move = Move.COMPLETE) -> None:
    """What the workers did of late."""
    for seconds in seconds_ago:
        at = timezone.now() - timedelta(seconds=seconds)
        JobTransition.objects.create(job=job, at=at, move=move, source="running", target="done", token=1, by="reader-1")


def test_a_study_is_behind_what_was_sent_before_it_and_what_is_urgent(
    clinician: User, study: Study, others: Study, model_version: ModelVersion
) -> None:
    make_job(others, model_version, created_at=LONG_AGO)
    make_job(study, model_version)
    make_job(study, model_version)
    make_job(others, model_version)
    make_job(others, model_version, urgent=True)
    assert waiting(clinician, study) == Waiting(ahead=2, seconds=None)


def test_an_urgent_study_is_behind_earlier_urgent_ones_alone(
    clinician: User, study: Study, others: Study, model_version: ModelVersion
) -> None:
    make_job(others, model_version, created_at=LONG_AGO)
    make_job(others, model_version, created_at=LONG_AGO, urgent=True)
    make_job(study, model_version, urgent=True)
    assert waiting(clinician, study) == Waiting(ahead=1, seconds=None)


def test_shadows_and_what_is_read_already_are_before_nobody(
    clinician: User, study: Study, others: Study, model_version: ModelVersion
) -> None:
    make_job(others, model_version, JobStatus.RUNNING, created_at=LONG_AGO)
    make_job(others, model_version, created_at=LONG_AGO, purpose=Purpose.SHADOW)
    make_job(study, model_version)
    assert waiting(clinician, study) == Waiting(ahead=0, seconds=None)
    assert queued_count() == 1


def test_a_study_that_was_taken_up_waits_for_nothing(
    clinician: User, study: Study, model_version: ModelVersion
) -> None:
    make_job(study, model_version, JobStatus.RUNNING)
    make_job(study, model_version, JobStatus.DONE)
    assert waiting(clinician, study) is None


def test_the_pace_is_that_of_the_readings_of_late(study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version)
    ended(job, seconds_ago=[60 + step / 4 for step in range(41)])
    assert images_per_second() == pytest.approx(4, rel=0.02)


def test_while_nothing_was_there_to_read_no_time_counts(study: Study, model_version: ModelVersion) -> None:
    job = make_job(study, model_version)
    ended(job, seconds_ago=[300 + step / 10 for step in range(101)])
    ended(job, seconds_ago=[10 + step / 10 for step in range(101)])
    assert images_per_second() == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize(
    ("seconds_ago", "move"),
    [((1, 2, 3), Move.COMPLETE), (range(700, 800), Move.COMPLETE), (range(100), Move.CLAIM)],
    ids=["too few", "too long ago", "no ends"],
)
def test_without_enough_to_measure_by_there_is_no_pace(
    study: Study, model_version: ModelVersion, seconds_ago: Sequence[float], move: Move
) -> None:
    ended(make_job(study, model_version), seconds_ago=seconds_ago, move=move)
    assert images_per_second() is None


def test_the_time_is_until_the_last_image_is_read(
    clinician: User, study: Study, others: Study, model_version: ModelVersion
) -> None:
    first = make_job(others, model_version, created_at=LONG_AGO)
    for _ in range(3):
        make_job(study, model_version)
    ended(first, seconds_ago=[60 + step / 2 for step in range(21)])
    found = waiting(clinician, study)
    assert found is not None
    assert found.ahead == 1
    assert found.seconds == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize(
    ("ahead", "seconds", "words"),
    [
        (0, None, "next"),
        (1, 4.0, "1 image before it, a few seconds"),
        (40, 44.0, "40 images before it, about 40 seconds"),
        (900, 185.0, "900 images before it, about 3 minutes"),
    ],
)
def test_the_words_for_people_are_round(ahead: int, seconds: float | None, words: str) -> None:
    assert Waiting(ahead, seconds).words == words
