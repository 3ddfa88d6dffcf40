"""A DICOM file that says another patient than was typed is answered with a warning."""

from datetime import date
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User

from diagnoses.models import Job, ModelVersion
from diagnoses.models.job import WARNING_WORDS
from diagnoses.services.erasing import _forget, _lose_key
from diagnoses.services.identity import names_another_patient
from diagnoses.services.jobs import Claim, claim_jobs
from tests import pictures
from tests.diagnoses.factory import make_job, make_study
from tests.workers.test_drain import ToldReader, a_runtime, read_batch

HEADER = {"PatientID": "P-1", "PatientBirthDate": "20190817", "PatientSex": "F"}
TYPED: dict[str, Any] = {"patient_id": "P-1", "patient_birth_date": date(2019, 8, 17), "patient_sex": "F"}


def claim_of(user: User, version: ModelVersion, data: bytes, **typed: Any) -> Claim:
    make_job(make_study(user, version, **typed), version, data=data)
    [claim] = claim_jobs(worker_name="w", model_versions=[version], limit=1)
    return claim


@pytest.mark.parametrize(
    ("typed", "header", "differs"),
    [
        (TYPED, HEADER, False),
        (TYPED | {"patient_id": " p-1 "}, HEADER, False),
        (TYPED | {"patient_id": "P-2"}, HEADER, True),
        (TYPED | {"patient_birth_date": date(2019, 8, 18)}, HEADER, True),
        (TYPED | {"patient_sex": "M"}, HEADER, True),
        ({}, HEADER, False),
        (TYPED, {}, False),
        ({"patient_sex": "F"}, {"PatientID": "P-9"}, False),
        (TYPED, HEADER | {"PatientSex": "X"}, False),
    ],
)
def test_what_both_say_has_to_agree(
    clinician: User, model_version: ModelVersion, typed: dict[str, Any], header: dict[str, str], differs: bool
) -> None:
    data = pictures.dicom(pictures.phantom(), **header)
    assert names_another_patient(claim_of(clinician, model_version, data, **typed), data) is differs


@pytest.mark.parametrize("data", [pictures.png(pictures.phantom()), b"", bytes(128) + b"DICM" + b"junk" * 9])
def test_a_file_without_a_header_says_nothing(clinician: User, model_version: ModelVersion, data: bytes) -> None:
    assert not names_another_patient(claim_of(clinician, model_version, data, **TYPED), data)


def test_of_a_patient_who_was_erased_meanwhile_nothing_is_said(clinician: User, model_version: ModelVersion) -> None:
    data = pictures.dicom(pictures.phantom(), PatientID="P-2")
    claim = claim_of(clinician, model_version, data, **TYPED)
    study = Job.objects.get(pk=claim.job_id).image.study
    _lose_key([study.subject_id])
    assert not names_another_patient(claim, data)
    _forget([study.pk])
    assert not names_another_patient(claim, data)


def test_the_warning_stands_beside_the_answer(
    clinician: User, model_version: ModelVersion, settings: LazySettings
) -> None:
    data = pictures.dicom(pictures.phantom(), PatientID="P-2")
    claim = claim_of(clinician, model_version, data, **TYPED)
    read_batch(a_runtime(model_version, ToldReader()), [claim])
    result = Job.objects.get(pk=claim.job_id).result
    assert result.warnings == ["other_patient"]
    assert result.warning_words == [WARNING_WORDS["other_patient"]]
