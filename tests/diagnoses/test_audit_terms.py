"""Every event says of which kind it is, how it went, and whose study it was, and asks no more for it than it must."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from pydicom.sr.codedict import codes

from diagnoses import audit
from diagnoses.audit_terms import MEANINGS, TERMS, Kind
from diagnoses.models import Image, Job, ModelVersion, Patient, Study
from diagnoses.models.audit import AuditAction, Outcome
from tests.diagnoses.factory import last_event, queries_of


@pytest.fixture
def patient(done_study: Study) -> Patient:
    """The study's."""
    return done_study.subject


def test_every_action_has_a_kind_and_a_letter() -> None:
    assert set(TERMS) == set(AuditAction)
    assert {code for _, code in TERMS.values()} == set("CRUDE")


def test_every_code_means_in_the_standard_what_it_means_here() -> None:
    known = {code.value: code.meaning for code in (getattr(codes.DCM, name) for name in codes.DCM.dir())}
    assert set(MEANINGS) == set(Kind)
    assert {kind: known[kind] for kind in Kind} == MEANINGS


@pytest.mark.parametrize("path", ["study", "image", "job", "result"])
def test_an_event_names_study_patient_and_model_of_its_object(
    done_study: Study, patient: Patient, model_version: ModelVersion, path: str
) -> None:
    job = Job.objects.select_related("result").get()
    targets: dict[str, Any] = {"study": Study.objects.get(), "image": Image.objects.get(), "job": job}
    targets["result"] = job.result
    audit.record(AuditAction.STUDY_VIEWED, audit.Actor(None, "x"), targets[path])
    event = last_event(AuditAction.STUDY_VIEWED)
    assert (event.study, event.patient) == (done_study.pk, str(patient.pk))
    assert event.model_version == ("" if path in ("study", "image") else str(model_version))
    assert (event.event, event.action_code, event.outcome) == ("110103", "R", Outcome.SUCCESS)


def test_what_is_loaded_is_not_asked_for_again(done_study: Study, patient: Patient) -> None:
    job = Job.objects.select_related("image__study", "model_version").get()
    assert len(queries_of(lambda: audit.record(AuditAction.HEATMAP_VIEWED, audit.Actor(None, "x"), job))) == 1


def test_what_is_not_loaded_costs_one_query_for_all(done_study: Study, patient: Patient) -> None:
    jobs = [Job.objects.get(), Job.objects.get()]
    entries = [audit.AuditEntry(AuditAction.RESULT_RECORDED, audit.Actor(None, "x"), job, {}) for job in jobs]
    assert len(queries_of(lambda: audit.record_all(entries))) == 2
    assert last_event(AuditAction.RESULT_RECORDED).patient == str(patient.pk)


def test_a_study_that_is_known_by_its_key_alone_still_names_its_patient(done_study: Study, patient: Patient) -> None:
    audit.record(AuditAction.REPORT_VIEWED, audit.Actor(None, "x"), Study(pk=done_study.pk))
    assert last_event(AuditAction.REPORT_VIEWED).patient == str(patient.pk)


def test_a_failure_says_so_by_itself_and_a_caller_may_say_more(clinician: User) -> None:
    actor = audit.user_actor(clinician)
    audit.record(AuditAction.SIGN_IN_FAILED, actor)
    audit.record(AuditAction.EXPORT_REQUESTED, actor, outcome=Outcome.MAJOR_FAILURE)
    assert last_event(AuditAction.SIGN_IN_FAILED).outcome == Outcome.MINOR_FAILURE
    assert last_event(AuditAction.EXPORT_REQUESTED).outcome == Outcome.MAJOR_FAILURE


def test_what_is_of_no_study_says_so(clinician: User) -> None:
    audit.record(AuditAction.TOKEN_CREATED, audit.user_actor(clinician), clinician)
    event = last_event(AuditAction.TOKEN_CREATED)
    assert (event.study, event.patient, event.model_version) == (None, "", "")
