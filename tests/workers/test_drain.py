"""From what is queued to an end for each job, with a reader that answers as it is told."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from threading import Lock
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.db.models.functions import Now

from diagnoses import storage
from diagnoses.imaging.errors import GATE_FAULTS, ImageError, ImageFault
from diagnoses.models import AuditEvent, Job, ModelVersion, Result, Study
from diagnoses.models.job import INDETERMINATE_WORDS, WARNING_WORDS
from diagnoses.services.jobs import Claim, claim_jobs, extend_leases
from diagnoses.services.recovery import reconcile
from diagnoses.states import JobStatus
from tests.diagnoses.conftest import Doorbell
from tests.diagnoses.factory import HEATMAP, broken_audit, make_job, make_model_version, make_study, row
from workers import batch as batches
from workers import drain as draining
from workers import hand as hands
from workers.drain import drain
from workers.inference.alone import Ending, NoAnswerError
from workers.inference.reader import HEAT_AT_BORDER, IN_BAND, UNSTABLE, Reading, ReadRequest
from workers.pace import Pace
from workers.runtime import Runtime

Answer = Reading | ImageError | Exception


class ToldReader:
    """Answers a file by what `says` holds for its bytes, and otherwise that it is normal."""

    engine = "openvino"

    def __init__(self, **says: Answer) -> None:
        self.says = {name.encode(): answer for name, answer in says.items()}
        self.requests: list[ReadRequest] = []
        self.batches: list[list[bytes]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def prepare(self, requests: Sequence[ReadRequest]) -> Sequence[ReadRequest]:
        return requests

    def read_prepared(self, prepared: Sequence[ReadRequest]) -> list[Reading | ImageError]:
        return self.read(prepared)

    def read(self, requests: Sequence[ReadRequest]) -> list[Reading | ImageError]:
        self.requests += requests
        self.batches.append([request.data for request in requests])
        self.meanwhile()
        answers = []
        for data in self.batches[-1]:
            answer = self.says.get(data) or reading(data)
            if isinstance(answer, Exception) and not isinstance(answer, ImageError):
                raise answer
            answers.append(answer)
        return answers


def reading(
    data: bytes, label: str = "NORMAL", *, indeterminate_reason: str = "", warnings: tuple[str, ...] = ()
) -> Reading:
    return Reading(
        label=label,
        score=-2.0,
        probability=0.12,
        indeterminate_reason=indeterminate_reason,
        warnings=warnings,
        image_sha256=sha256(data).hexdigest(),
        heatmap=HEATMAP,
        heatmap_peak=0.5,
        timings_ms={"decode": 1.0, "engine": 2.0},
    )


def a_runtime(model_version: ModelVersion, reader: ToldReader) -> Runtime:
    """A worker's process without a network in it."""
    return a_runtime_of({model_version: reader})


def a_runtime_of(readers: dict[ModelVersion, ToldReader]) -> Runtime:
    """The same with several models."""
    runtime = Runtime.__new__(Runtime)
    runtime.worker_name = "reader-1"
    runtime.model_versions = list(readers)
    runtime.readers = {version.pk: reader for version, reader in readers.items()}  # type: ignore[misc]
    runtime.held, runtime.busy_since, runtime.working, runtime.pace = (), None, Lock(), Pace()
    return runtime


@pytest.fixture
def study(model_version: ModelVersion) -> Study:
    return make_study(User.objects.create(username="sender"), model_version)


def claimed(study: Study, model_version: ModelVersion, *names: str) -> list[Claim]:
    """Jobs whose files hold their names, in a worker's hands."""
    for name in names:
        make_job(study, model_version, data=name.encode(), filename=name)
    return claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=len(names))


def read_batch(runtime: Runtime, claims: Sequence[Claim]) -> None:
    """Bring them to their ends."""
    with ThreadPoolExecutor(1) as engine:
        batches.save(batches.ends_of(batches.begin(runtime, claims, engine)))


def ends() -> dict[str, tuple[str, str]]:
    """State and error of each job, by its file."""
    jobs = Job.objects.select_related("image__study__subject")
    return {job.image.filename: (job.status, job.error_code) for job in jobs}


def job_of(name: str) -> Job:
    [job] = [job for job in Job.objects.all() if job.image.filename == name]
    return job


def test_what_is_read_is_done_with_its_result(study: Study, model_version: ModelVersion) -> None:
    claims = claimed(study, model_version, "one", "two")
    read_batch(a_runtime(model_version, ToldReader(two=reading(b"two", "PNEUMONIA"))), claims)
    assert ends() == {"one": ("done", ""), "two": ("done", "")}
    labels = {(result.job.image.filename, result.label, result.engine) for result in Result.objects.all()}
    assert labels == {("one", "NORMAL", "openvino"), ("two", "PNEUMONIA", "openvino")}
    assert bytes(job_of("two").result.heatmap) == HEATMAP


def test_while_one_thread_reads_no_other_does(study: Study, model_version: ModelVersion) -> None:
    """The watch and the doorbell's task share one engine."""
    reader = ToldReader()
    runtime = a_runtime(model_version, reader)
    held: list[bool] = []
    reader.meanwhile = lambda: held.append(runtime.working.locked())
    make_job(study, model_version, data=b"one")
    drain(runtime)
    assert (held, runtime.working.locked()) == ([True], False)


def test_a_batch_is_read_in_one_go(study: Study, model_version: ModelVersion) -> None:
    reader = ToldReader()
    read_batch(a_runtime(model_version, reader), claimed(study, model_version, "one", "two", "three"))
    assert reader.batches == [[b"one", b"two", b"three"]]


def test_a_picture_that_cannot_be_read_is_refused_with_its_reason(study: Study, model_version: ModelVersion) -> None:
    fault = ImageError(ImageFault.DAMAGED, "This picture is damaged. Export it again.")
    claims = claimed(study, model_version, "one", "broken", "two")
    read_batch(a_runtime(model_version, ToldReader(broken=fault)), claims)
    assert ends() == {"one": ("done", ""), "broken": ("refused", "damaged"), "two": ("done", "")}
    assert job_of("broken").error_message == "This picture is damaged. Export it again."


def test_each_model_reads_what_was_sent_to_it_and_nothing_else(study: Study, model_version: ModelVersion) -> None:
    other = make_model_version(name="xception")
    for number, version in enumerate((model_version, other, model_version, other)):
        make_job(study, version, data=str(number).encode())
    readers = {model_version: ToldReader(), other: ToldReader()}
    readers[other].engine = "tensorflow"
    assert drain(a_runtime_of(readers)) == 4
    assert [reader.batches for reader in readers.values()] == [[[b"0", b"2"]], [[b"1", b"3"]]]
    by_version = Result.objects.values_list("job__model_version", "engine").distinct()
    assert set(by_version) == {(model_version.pk, "openvino"), (other.pk, "tensorflow")}


def test_a_job_for_a_model_that_is_not_loaded_is_left_to_others(study: Study, model_version: ModelVersion) -> None:
    make_job(study, make_model_version(name="xception"))
    assert drain(a_runtime(model_version, ToldReader())) == 0
    assert Job.objects.get().status == JobStatus.QUEUED


def test_the_reader_is_told_the_patients_age_and_what_a_clinician_overrode(
    study: Study, model_version: ModelVersion
) -> None:
    study.patient_birth_date = study.created_at.date() - timedelta(days=1461)
    study.save()
    override: dict[str, Any] = {"override_reason": "It is.", "override_by": "clinician", "override_at": Now()}
    make_job(study, model_version, data=b"plain")
    make_job(study, model_version, data=b"overridden", override_code="not_frontal", **override)
    reader = ToldReader()
    drain(a_runtime(model_version, reader))
    plain, overridden = reader.requests
    assert (plain.data, plain.gate_overridden) == (b"plain", False)
    assert (overridden.data, overridden.gate_overridden) == (b"overridden", True)
    assert plain.age_years == overridden.age_years == pytest.approx(4.0, abs=0.01)


def test_an_answer_is_kept_with_its_doubt(study: Study, model_version: ModelVersion) -> None:
    unsure = reading(b"one", indeterminate_reason="unstable", warnings=("outside_age", "heatmap_at_border"))
    read_batch(a_runtime(model_version, ToldReader(one=unsure)), claimed(study, model_version, "one"))
    result = job_of("one").result
    assert (result.label, result.indeterminate_reason) == ("NORMAL", "unstable")
    assert result.warnings == ["outside_age", "heatmap_at_border"]


def test_there_are_words_for_all_that_a_reader_may_say() -> None:
    assert set(INDETERMINATE_WORDS) == {IN_BAND, UNSTABLE}
    assert set(WARNING_WORDS) == {HEAT_AT_BORDER, batches.OTHER_PATIENT, *GATE_FAULTS}


def test_a_stored_file_that_is_gone_fails_its_job_alone(study: Study, model_version: ModelVersion) -> None:
    claims = claimed(study, model_version, "one", "gone")
    storage.remove(job_of("gone").image.stored_name)
    read_batch(a_runtime(model_version, ToldReader()), claims)
    assert ends() == {"one": ("done", ""), "gone": ("failed", "file_unreadable")}
    assert "administrator" in job_of("gone").error_message


def test_a_batch_of_which_no_file_is_left_asks_the_reader_nothing(study: Study, model_version: ModelVersion) -> None:
    reader = ToldReader()
    claims = claimed(study, model_version, "gone")
    storage.remove(job_of("gone").image.stored_name)
    read_batch(a_runtime(model_version, reader), claims)
    assert reader.batches == []
    assert ends() == {"gone": ("failed", "file_unreadable")}


def test_a_stored_file_that_was_altered_gets_no_answer(study: Study, model_version: ModelVersion) -> None:
    claims = claimed(study, model_version, "one", "altered")
    storage.write(job_of("altered").image.stored_name, b"another patient's picture")
    read_batch(a_runtime(model_version, ToldReader()), claims)
    assert ends() == {"one": ("done", ""), "altered": ("failed", "file_altered")}
    assert Result.objects.get().job == job_of("one")


def test_a_poison_in_a_batch_fails_alone(study: Study, model_version: ModelVersion) -> None:
    reader = ToldReader(poison=RuntimeError("the decoder broke"))
    claims = claimed(study, model_version, "one", "poison", "two")
    read_batch(a_runtime(model_version, reader), claims)
    assert ends() == {"one": ("done", ""), "poison": ("failed", "internal_error"), "two": ("done", "")}
    assert reader.batches[1:] == [[b"one"], [b"poison"], [b"two"]]


def test_a_poison_on_its_own_is_read_once_and_fails(study: Study, model_version: ModelVersion) -> None:
    reader = ToldReader(poison=MemoryError())
    read_batch(a_runtime(model_version, reader), claimed(study, model_version, "poison"))
    assert len(reader.batches) == 1
    assert ends() == {"poison": ("failed", "internal_error")}


def test_a_failure_shows_a_clinician_no_inside_of_the_server(study: Study, model_version: ModelVersion) -> None:
    reader = ToldReader(poison=RuntimeError("secret path /srv/models"))
    read_batch(a_runtime(model_version, reader), claimed(study, model_version, "poison"))
    assert "secret path" not in job_of("poison").error_message
    assert "Your administrator can look into it and retry" in job_of("poison").error_message


def test_an_answer_that_the_database_refuses_fails_its_job_alone(study: Study, model_version: ModelVersion) -> None:
    claims = claimed(study, model_version, "one", "unlucky", "two")
    impossible = replace(reading(b"unlucky"), probability=1.5)
    read_batch(a_runtime(model_version, ToldReader(unlucky=impossible)), claims)
    assert ends() == {"one": ("done", ""), "unlucky": ("failed", "internal_error"), "two": ("done", "")}


def test_a_database_that_refuses_every_end_is_not_asked_for_ever(study: Study, model_version: ModelVersion) -> None:
    claims = claimed(study, model_version, "one", "two")
    with broken_audit(), pytest.raises(IntegrityError):
        read_batch(a_runtime(model_version, ToldReader()), claims)


@pytest.mark.parametrize(
    "answer",
    [reading(b"lost"), ImageError(ImageFault.DAMAGED, "Damaged."), RuntimeError("broke")],
    ids=["answer", "refusal", "fault"],
)
def test_an_end_for_a_claim_that_was_lost_is_dropped(study: Study, model_version: ModelVersion, answer: Answer) -> None:
    claims = claimed(study, model_version, "lost")
    Job.objects.update(lease_until=Now() - timedelta(seconds=1))
    reconcile()
    Job.objects.update(ready_at=Now())
    claim_jobs(worker_name="reader-2", model_versions=[model_version], limit=1)
    before, events = row(job_of("lost")), AuditEvent.objects.count()
    read_batch(a_runtime(model_version, ToldReader(lost=answer)), claims)
    assert row(job_of("lost")) == before
    assert (before["status"], before["worker_name"]) == (JobStatus.RUNNING, "reader-2")
    assert not Result.objects.exists()
    assert AuditEvent.objects.count() == events


def test_draining_goes_on_until_nothing_is_queued(
    study: Study, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_BATCH_SIZE = 2
    for number in range(5):
        make_job(study, model_version, data=str(number).encode())
    reader = ToldReader()
    assert drain(a_runtime(model_version, reader)) == 5
    assert reader.batches == [[b"0", b"1"], [b"2", b"3"], [b"4"]]
    assert set(Job.objects.values_list("status", flat=True)) == {JobStatus.DONE}


def test_draining_nothing_asks_the_reader_nothing(model_version: ModelVersion) -> None:
    reader = ToldReader()
    assert drain(a_runtime(model_version, reader)) == 0
    assert reader.batches == []


def test_an_input_that_took_a_worker_down_is_read_alone_in_a_process_of_its_own(
    study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone: list[bytes] = []

    def read_alone(reader: ToldReader, request: ReadRequest, seconds: int) -> Reading | ImageError:
        alone.append(request.data)
        return reading(request.data)

    monkeypatch.setattr(batches, "read_alone", read_alone)
    make_job(study, model_version, data=b"suspect", attempts=1)
    for name in (b"one", b"two"):
        make_job(study, model_version, data=name)
    reader = ToldReader()
    drain(a_runtime(model_version, reader))
    assert (alone, reader.batches) == ([b"suspect"], [[b"one", b"two"]])
    assert set(ends().values()) == {("done", "")}


@pytest.mark.parametrize("ending", Ending)
def test_an_input_that_takes_down_a_process_of_its_own_fails_with_words(
    study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch, ending: Ending
) -> None:
    def read_alone(*_: object) -> Reading:
        raise NoAnswerError(ending)

    monkeypatch.setattr(batches, "read_alone", read_alone)
    make_job(study, model_version, data=b"poison", filename="poison", attempts=1)
    drain(a_runtime(model_version, ToldReader()))
    assert ends() == {"poison": ("failed", ending)}
    assert "send it anew" in job_of("poison").error_message


def test_a_process_of_its_own_that_cannot_be_had_fails_its_job_alone(
    study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_alone(*_: object) -> Reading:
        raise OSError("no more processes")

    monkeypatch.setattr(batches, "read_alone", read_alone)
    make_job(study, model_version, data=b"suspect", filename="suspect", attempts=1)
    make_job(study, model_version, data=b"one", filename="one")
    drain(a_runtime(model_version, ToldReader()))
    assert ends() == {"suspect": ("failed", "internal_error"), "one": ("done", "")}


def test_a_long_drain_leaves_the_rest_to_a_fresh_ring(
    study: Study,
    model_version: ModelVersion,
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.CXR_BATCH_SIZE = 1
    monkeypatch.setattr(draining, "_BUDGET_SECONDS", -1.0)
    doorbell = Doorbell()
    for name in (b"one", b"two"):
        make_job(study, model_version, data=name)
    assert drain(a_runtime(model_version, ToldReader())) == 1
    assert Job.objects.filter(status=JobStatus.QUEUED).count() == 1
    assert doorbell.rings() == 1


def test_a_long_read_keeps_its_leases_and_a_dropped_one_does_not(
    study: Study, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = a_runtime(model_version, ToldReader())
    make_job(study, model_version, data=b"crash")
    leases = []

    def beat() -> None:
        Job.objects.update(lease_until=Now() - timedelta(seconds=1))
        extend_leases(worker_name=runtime.worker_name, claims=runtime.held)
        leases.append(Job.objects.filter(lease_until__gt=Now()).count())

    def crash(_: Sequence[batches.End]) -> None:
        beat()
        raise SystemExit

    monkeypatch.setattr(hands, "save", crash)
    with pytest.raises(SystemExit):
        drain(runtime)
    beat()
    assert leases == [1, 0]
    assert reconcile().recovered == 1
