"""Whatever is sent to the API, what comes back is what its document says, and never a fault of the server."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
import schemathesis
import yaml
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounds
from hypothesis import strategies as st
from rest_framework.test import APIClient
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from diagnoses.audit import user_actor
from diagnoses.models import ModelVersion
from diagnoses.models.token import Scope
from diagnoses.services.registry import report_worker
from diagnoses.services.tokens import create_token, mark_used
from diagnoses.states import JobStatus
from tests.diagnoses.factory import PICTURE, make_job, make_study

DOCUMENT = "/api/v1/schema/"
EXAMPLES = 30
SENSE: dict[str, Any] = {"model": "xception", "files": [PICTURE], "cursor": None, "patient_birth_date": "2020-02-29"}
"""What hardly any example would hit upon, by the name of the field or parameter; None for nothing."""
PLAIN: dict[str, dict[str, Any]] = {
    "POST /api/v1/images/{image_id}/readings/": {"body": {"model": "xception"}, "media_type": "application/json"},
    "POST /api/v1/jobs/{job_id}/override/": {"body": {"reason": "It is frontal."}, "media_type": "application/json"},
    "POST /api/v1/searches/": {"body": {"patient_id": "P-1"}, "media_type": "application/json"},
    "POST /api/v1/studies/": {"body": {"files": [PICTURE]}, "media_type": "multipart/form-data"},
}
"""What is to be sent, where something is."""
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
BOUNDED = bounds(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
Rows = dict[str, list[str]]


@pytest.fixture
def rows(clinician: User, model_version: ModelVersion, xception: ModelVersion) -> Rows:
    """Keys that lead to something, by the name of the parameter. Two models can read."""
    report_worker(name="reader-1", model_versions=[model_version, xception], engine="openvino")
    study = make_study(clinician, model_version, JobStatus.DONE, JobStatus.FAILED, JobStatus.QUEUED, patient_id="P-1")
    make_job(study, model_version, JobStatus.REFUSED, error_code="not_frontal")
    images = list(study.images.all())
    return {
        "study_id": [str(study.pk)],
        "image_id": [str(image.pk) for image in images],
        "job_id": [str(image.jobs.get().pk) for image in images],
    }


@pytest.fixture
def operations(api: APIClient, settings: LazySettings) -> Iterator[list[Any]]:
    """All that the document names; of one token more is asked here than in a minute elsewhere."""
    settings.CXR_API_PER_MINUTE = 1_000_000
    document: Any = schemathesis.openapi.from_dict(yaml.safe_load(api.get(DOCUMENT).content))
    document.app = WSGIHandler()
    with _connection_kept():
        yield [found.ok() for found in document.get_all_operations()]


@contextmanager
def _connection_kept() -> Iterator[None]:
    """A request gives its connection back when it ends; what the test's one holds would be lost with that."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def ask(case: Any, **headers: str) -> Any:
    """What comes back; nothing of it stays."""
    with transaction.atomic():
        response = case.call(headers={"Host": "localhost", **headers})
        transaction.set_rollback(True)
    return response


def keys_for(operation: Any, rows: Rows) -> st.SearchStrategy[dict[str, str]]:
    """Keys of what there is, and of nothing."""
    names = [parameter.name for parameter in operation.path_parameters]
    return st.fixed_dictionaries({name: st.sampled_from([*rows[name], str(uuid.UUID(int=7))]) for name in names})


@pytest.mark.parametrize("mode", GenerationMode)
def test_each_operation_answers_as_the_document_says(
    operations: list[Any], rows: Rows, clinician: User, mode: GenerationMode
) -> None:
    new = create_token(actor=user_actor(clinician), user=clinician, name="fuzz", scopes=tuple(Scope))
    mark_used(token=new.token)
    seen: set[int] = set()
    for operation in operations:

        @BOUNDED
        @given(case=operation.as_strategy(mode), keys=keys_for(operation, rows), is_sensible=st.booleans())
        def answers(case: Any, keys: dict[str, str], is_sensible: bool) -> None:
            case.path_parameters = keys
            if "wait" in (case.query or {}):
                case.query["wait"] = 0
            if is_sensible:
                case.query, case.body = sensible(case.query), sensible(case.body)
            response = ask(case, Authorization=f"Token {new.secret}")
            case.validate_response(response, checks=CHECKS)
            seen.add(response.status_code)

        answers()
    assert seen >= {200, 400, 404}


def test_a_plain_request_for_each_operation_is_answered_as_the_document_says(
    operations: list[Any], rows: Rows, clinician: User
) -> None:
    """Of the drawn ones above hardly any sends a file or gives a reason, and in some runs none does."""
    token = create_token(actor=user_actor(clinician), user=clinician, name="plain", scopes=tuple(Scope)).secret
    for operation in operations:
        names = [parameter.name for parameter in operation.path_parameters]
        statuses = set()
        for keys in product(*(rows[name] for name in names)):
            case = operation.Case(path_parameters=dict(zip(names, keys, strict=True)), **PLAIN.get(operation.label, {}))
            response = ask(case, Authorization=f"Token {token}")
            case.validate_response(response, checks=CHECKS)
            statuses.add(response.status_code)
        assert min(statuses) < 300, operation.label


def sensible(said: Any) -> Any:
    """The same with what makes sense to the server."""
    if not isinstance(said, dict):
        return said
    better = {name: SENSE.get(name, value) for name, value in said.items()}
    return {name: value for name, value in better.items() if value is not None}


def test_without_a_token_each_operation_is_refused(operations: list[Any], rows: Rows) -> None:
    for operation in operations:
        case = operation.Case(path_parameters={name: keys[0] for name, keys in rows.items()})
        response = ask(case)
        assert response.status_code == 401, operation.label
        case.validate_response(response, checks=CHECKS)
