"""The OpenAPI document: valid, complete, and true."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.urls import URLPattern, get_resolver
from drf_spectacular.validation import validate_schema
from rest_framework.test import APIClient

from diagnoses.api.urls import urlpatterns
from diagnoses.models import Study
from diagnoses.states import JobStatus

SCHEMA_URL = "/api/v1/schema/"


@pytest.fixture
def schema(api: APIClient) -> dict[str, Any]:
    """The document as a client gets it."""
    response = api.get(SCHEMA_URL)
    assert response.status_code == 200
    document: dict[str, Any] = yaml.safe_load(response.content)
    return document


def resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """A part of the schema, its reference followed."""
    while "$ref" in part:
        part = schema["components"]["schemas"][part["$ref"].rsplit("/", 1)[1]]
    if "allOf" in part and len(part["allOf"]) == 1:
        return resolved(schema, part["allOf"][0])
    return part


def properties(schema: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = schema["components"]["schemas"][name]["properties"]
    return found


def test_the_document_is_valid(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.")
    validate_schema(schema)  # type: ignore[no-untyped-call]


def test_the_document_is_made_without_a_warning(tmp_path: Path) -> None:
    call_command("spectacular", file=str(tmp_path / "schema.yml"), validate=True, fail_on_warn=True)
    assert yaml.safe_load((tmp_path / "schema.yml").read_text())["paths"]


def test_the_document_names_every_route(schema: dict[str, Any]) -> None:
    routes = {
        "/api/v1/" + str(pattern.pattern).replace("<uuid:", "{").replace(">", "}")
        for pattern in urlpatterns
        if isinstance(pattern, URLPattern) and pattern.name != "api_schema"
    }
    assert routes
    assert set(schema["paths"]) - {SCHEMA_URL} == routes
    assert get_resolver().resolve("/api/v1/studies/").url_name == "api_studies"


def test_the_document_names_every_method(schema: dict[str, Any]) -> None:
    methods = {path: set(item) - {"parameters"} for path, item in schema["paths"].items() if path != SCHEMA_URL}
    assert methods == {
        "/api/v1/studies/": {"get", "post"},
        "/api/v1/searches/": {"post"},
        "/api/v1/studies/{study_id}/": {"get"},
        "/api/v1/studies/{study_id}/report/": {"get"},
        "/api/v1/studies/{study_id}/report.pdf": {"get"},
        "/api/v1/images/{image_id}/picture/": {"get"},
        "/api/v1/images/{image_id}/readings/": {"post"},
        "/api/v1/jobs/{job_id}/heatmap/": {"get"},
        "/api/v1/jobs/{job_id}/override/": {"post"},
        "/api/v1/models/": {"get"},
    }


def test_every_route_asks_for_a_token(schema: dict[str, Any]) -> None:
    operations = [item[method] for item in schema["paths"].values() for method in ("get", "post") if method in item]
    assert all(operation["security"] == [{"tokenAuth": []}] for operation in operations)
    assert schema["components"]["securitySchemes"]["tokenAuth"]["in"] == "header"


def test_a_study_is_sent_as_a_form_with_repeatable_files(schema: dict[str, Any]) -> None:
    content = schema["paths"]["/api/v1/studies/"]["post"]["requestBody"]["content"]
    form = resolved(schema, content["multipart/form-data"]["schema"])
    assert form["properties"]["files"]["type"] == "array"
    assert form["properties"]["files"]["items"]["format"] == "binary"
    others = {"patient_id", "patient_sex", "patient_birth_date", "accession_number", "clinical_note", "urgent", "model"}
    assert set(form["properties"]) == {"files", *others}
    assert not set(form.get("required", [])) & others


def test_sending_answers_in_one_shape_whether_it_is_taken_or_not(schema: dict[str, Any]) -> None:
    responses = schema["paths"]["/api/v1/studies/"]["post"]["responses"]
    said_of = {status: response["content"]["application/json"]["schema"] for status, response in responses.items()}
    shapes = [said_of[status].get("anyOf", [said_of[status]])[0] for status in ("202", "400", "409", "429", "503")]
    assert all(shape == shapes[0] for shape in shapes)
    assert {"id", "images"} <= set(resolved(schema, shapes[0])["properties"])


def test_each_operation_says_how_it_refuses(schema: dict[str, Any]) -> None:
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            refusals = {"401", "403", "429"} | ({"404"} if "{" in path else set())
            refusals |= {"400", "408", "413", "415", "503"} if method == "post" else set()
            assert refusals <= set(operation["responses"]), (method, path)
            assert all(status < "300" or said["description"] for status, said in operation["responses"].items())


def test_what_is_asked_for_by_its_kind_comes_in_it(api: APIClient, schema: dict[str, Any], done_study: Study) -> None:
    keys = {"study_id": done_study.pk, "image_id": done_study.images.get().pk}
    keys["job_id"] = done_study.images.get().jobs.get().pk
    for path, item in schema["paths"].items():
        if "get" in item:
            [kind] = item["get"]["responses"]["200"]["content"]
            response = api.get(path.format(**keys), headers={"Accept": kind})
            assert (response.status_code, response["Content-Type"]) == (200, kind), path


def test_the_list_is_paged_and_says_what_it_is_filtered_by(schema: dict[str, Any]) -> None:
    operation = schema["paths"]["/api/v1/studies/"]["get"]
    names = {parameter["name"] for parameter in operation["parameters"]}
    assert names == {"cursor", "find", "label", "indeterminate", "status", "model", "since", "until"}
    page = resolved(schema, operation["responses"]["200"]["content"]["application/json"]["schema"])
    assert {"next", "previous", "results"} <= set(page["properties"])


def test_the_states_are_those_of_a_job(schema: dict[str, Any]) -> None:
    status = resolved(schema, properties(schema, "StudyImage")["status"])
    assert set(status["enum"]) == {status.value for status in JobStatus}


def test_pictures_are_announced_as_pictures(schema: dict[str, Any]) -> None:
    kinds = {
        path: set(schema["paths"][path]["get"]["responses"]["200"]["content"])
        for path in ("/api/v1/images/{image_id}/picture/", "/api/v1/jobs/{job_id}/heatmap/")
    }
    assert list(kinds.values()) == [{"image/jpeg"}, {"image/png"}]


def test_an_answer_holds_exactly_what_the_document_promises(
    api: APIClient, schema: dict[str, Any], done_study: Study
) -> None:
    study = api.get(f"/api/v1/studies/{done_study.pk}/").json()
    assert set(study) == set(properties(schema, "WaitingStudy"))
    [image] = study["images"]
    assert set(image) == set(properties(schema, "StudyImage")) - {"hidden"}
    assert set(image["result"]) == set(properties(schema, "Result"))
    [reading] = image["readings"]
    assert set(reading) == set(properties(schema, "Reading")) - {"hidden"}
    [model] = api.get("/api/v1/models/").json()
    assert set(model) == set(properties(schema, "Model"))


def test_every_operation_has_a_name_of_its_own(schema: dict[str, Any]) -> None:
    names = [item[method]["operationId"] for item in schema["paths"].values() for method in item]
    assert len(names) == len(set(names)) >= 5
