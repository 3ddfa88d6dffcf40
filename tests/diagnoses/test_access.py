"""Every address, asked for by everybody: the anonymous, another clinician, an auditor, and the one it belongs to."""

import uuid
from dataclasses import dataclass, field

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from rest_framework.test import APIClient

from diagnoses.models import Export, ModelVersion, Study
from diagnoses.services.registry import report_worker
from diagnoses.states import JobStatus
from tests.conftest import api_of
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import make_export, make_study

USERS = ("anonymous", "outsider", "auditor", "clinician")

TABLE = {
    #                   anonymous, outsider, auditor, owner
    "worklist": (302, 200, 200, 200),
    "send": (302, 200, 403, 200),
    "preferences": (302, 200, 200, 200),
    "set_language": (405, 405, 405, 405),
    "set_theme": (302, 405, 405, 405),
    "study": (302, 404, 404, 200),
    "study_images": (302, 404, 404, 200),
    "study_events": (302, 404, 404, 200),
    "picture": (302, 404, 404, 200),
    "pixels": (302, 404, 404, 200),
    "heatmap": (302, 404, 404, 200),
    "heatmap_cells": (302, 404, 404, 200),
    "colour_bar": (200, 200, 200, 200),
    "history": (302, 200, 200, 200),
    "history_csv": (302, 200, 200, 200),
    "models": (302, 200, 200, 200),
    "model": (302, 200, 200, 200),
    "read_again": (302, 405, 405, 405),
    "override": (302, 405, 405, 405),
    "sign_in": (200, 200, 200, 200),
    "sign_out": (302, 405, 405, 405),
    "healthz": (200, 200, 200, 200),
    "readyz": (200, 200, 200, 200),
    "admin:index": (302, 302, 200, 302),
    "api_studies": (401, 200, 200, 200),
    "api_study": (401, 404, 404, 200),
    "api_picture": (401, 404, 404, 200),
    "api_heatmap": (401, 404, 404, 200),
    "api_models": (401, 200, 200, 200),
    "api_readings": (401, 405, 405, 405),
    "api_override": (401, 405, 405, 405),
    "api_schema": (401, 200, 200, 200),
    "report": (302, 404, 404, 200),
    "report_pdf": (302, 404, 404, 200),
    "report_json": (302, 404, 404, 200),
    "api_report": (401, 404, 404, 200),
    "api_report_pdf": (401, 404, 404, 200),
    "dashboard": (302, 200, 200, 200),
    "dashboard_part": (302, 200, 200, 200),
    "dashboard_csv": (302, 200, 200, 200),
    "dashboard_json": (302, 200, 200, 200),
    "sign": (302, 405, 405, 405),
    "agreement": (302, 200, 200, 200),
    "pause": (302, 403, 403, 403),
    "worklist_changes": (302, 200, 200, 200),
    "worklist_selected": (302, 405, 405, 405),
    "saved_views": (302, 405, 405, 405),
    "saved_view": (302, 405, 405, 405),
    "notices": (302, 200, 200, 200),
    "notices_seen": (302, 405, 405, 405),
    "sample": (302, 405, 405, 405),
    "help": (302, 200, 200, 200),
    "history_columns": (302, 405, 405, 405),
    "exports": (302, 200, 200, 200),
    "export_list": (302, 200, 200, 200),
    "export_file": (302, 404, 404, 200),
    "export_cancel": (302, 405, 405, 405),
    "export_retry": (302, 405, 405, 405),
    "compare": (302, 400, 400, 400),
    "send_file": (302, 405, 405, 405),
    "send_state": (302, 200, 403, 200),
    "send_seen": (302, 405, 405, 405),
    "send_header": (302, 405, 405, 405),
    "find": (302, 405, 405, 405),
    "api_searches": (401, 405, 405, 405),
}
"""What a GET is answered with. An address that is missing here fails a test below."""

POST_TABLE = {
    # Nothing is sent along, so 400 says that one may send.
    "send": (302, 400, 403, 400),
    "sign_out": (302, 302, 302, 302),
    "preferences": (302, 400, 400, 400),
    "set_language": (302, 302, 302, 302),
    "set_theme": (302, 302, 302, 302),
    "api_studies": (401, 400, 403, 400),
    "read_again": (302, 404, 403, 400),
    "override": (302, 404, 403, 400),
    "api_readings": (401, 404, 403, 400),
    "api_override": (401, 404, 403, 400),
    "sign": (302, 404, 403, 400),
    "pause": (302, 403, 403, 403),
    "worklist_selected": (302, 302, 403, 302),
    "saved_views": (302, 400, 400, 400),
    "notices_seen": (302, 302, 302, 302),
    "sample": (302, 302, 403, 302),
    "history_columns": (302, 400, 400, 400),
    "exports": (302, 400, 400, 302),
    "export_cancel": (302, 404, 404, 302),
    "export_retry": (302, 404, 404, 302),
    "send_file": (302, 400, 403, 400),
    "send_seen": (302, 400, 403, 400),
    "send_header": (302, 200, 403, 200),
}

OF_ITS_OWNER = ("export_file", "export_cancel", "export_retry")
"""What is its owner's alone, whoever else may see the studies in it."""

CASES = [(name, user) for name in TABLE for user in USERS]
POST_CASES = [(name, user) for name in POST_TABLE for user in USERS]
OF_ONE_STUDY = [name for name, row in TABLE.items() if row[1] == 404]
ASKED_OF_ONE_STUDY = [name for name, row in POST_TABLE.items() if row[1] == 404]

ALLOWED = {
    "send": {"GET", "HEAD", "POST"},
    "study": {"GET", "HEAD"},
    "study_images": {"GET", "HEAD"},
    "study_events": {"GET", "HEAD"},
    "picture": {"GET", "HEAD"},
    "pixels": {"GET", "HEAD"},
    "heatmap": {"GET", "HEAD"},
    "heatmap_cells": {"GET", "HEAD"},
    "colour_bar": {"GET", "HEAD"},
    "history": {"GET", "HEAD"},
    "history_csv": {"GET", "HEAD"},
    "healthz": {"GET", "HEAD"},
    "readyz": {"GET", "HEAD"},
    "api_studies": {"GET", "HEAD", "POST", "OPTIONS"},
    "api_study": {"GET", "HEAD", "OPTIONS"},
    "api_picture": {"GET", "HEAD", "OPTIONS"},
    "api_heatmap": {"GET", "HEAD", "OPTIONS"},
    "api_schema": {"GET", "HEAD", "OPTIONS"},
    "api_models": {"GET", "HEAD", "OPTIONS"},
    "api_readings": {"POST", "OPTIONS"},
    "api_override": {"POST", "OPTIONS"},
    "models": {"GET", "HEAD"},
    "model": {"GET", "HEAD"},
    "preferences": {"GET", "HEAD", "POST"},
    "set_language": {"POST"},
    "set_theme": {"POST"},
    "read_again": {"POST"},
    "override": {"POST"},
    "report": {"GET", "HEAD"},
    "report_pdf": {"GET", "HEAD"},
    "report_json": {"GET", "HEAD"},
    "api_report": {"GET", "HEAD", "OPTIONS"},
    "api_report_pdf": {"GET", "HEAD", "OPTIONS"},
    "dashboard": {"GET", "HEAD"},
    "dashboard_part": {"GET", "HEAD"},
    "dashboard_csv": {"GET", "HEAD"},
    "dashboard_json": {"GET", "HEAD"},
    "sign": {"POST"},
    "agreement": {"GET", "HEAD"},
    "worklist": {"GET", "HEAD"},
    "worklist_changes": {"GET", "HEAD"},
    "worklist_selected": {"POST"},
    "saved_views": {"POST"},
    "saved_view": {"POST"},
    "notices": {"GET", "HEAD"},
    "notices_seen": {"POST"},
    "sample": {"POST"},
    "help": {"GET", "HEAD"},
    "history_columns": {"POST"},
    "exports": {"GET", "HEAD", "POST"},
    "export_list": {"GET", "HEAD"},
    "export_file": {"GET", "HEAD"},
    "export_cancel": {"POST"},
    "export_retry": {"POST"},
    "compare": {"GET", "HEAD"},
    "send_file": {"POST"},
    "send_state": {"GET", "HEAD"},
    "send_seen": {"POST"},
    "send_header": {"POST"},
}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
FORBIDDEN_METHODS = [(name, method) for name, allowed in ALLOWED.items() for method in METHODS if method not in allowed]


@dataclass
class House:
    """A site with one done study and one packed export of the clinician, and everybody who may come by."""

    study: Study
    export: Export
    users: dict[str, User] = field(default_factory=dict)

    def url(self, name: str, other: uuid.UUID | None = None) -> str:
        image = self.study.images.get()
        ids = {"study": self.study.pk, "image": image.pk, "job": image.jobs.get().pk, "export": self.export.pk}
        kinds = {
            "picture": "image",
            "api_picture": "image",
            "read_again": "image",
            "sign": "image",
            "api_readings": "image",
            "pixels": "image",
            "heatmap": "job",
            "heatmap_cells": "job",
            "api_heatmap": "job",
            "override": "job",
            "api_override": "job",
            "export_file": "export",
            "export_cancel": "export",
            "export_retry": "export",
        }
        fixed: dict[str, object] = {"saved_view": 1, "find": "history", "colour_bar": "jet"}
        if name in fixed:
            return reverse(name, args=[fixed[name]])
        if name in ("dashboard_part", "dashboard_csv"):
            return reverse(name, args=["cases"])
        if name == "model":
            return reverse(name, args=["mobilenet_v2", "1.0.0"])
        if name in [*OF_ONE_STUDY, *ASKED_OF_ONE_STUDY]:
            return reverse(name, args=[other or ids[kinds.get(name, "study")]])
        return reverse(name)

    def client(self, user: str, name: str) -> Client | APIClient:
        """A browser that is signed in, or for the API a client with its token."""
        if user == "anonymous":
            return Client()
        return api_of(self.users[user]) if name.startswith("api_") else browser_of(self.users[user])


@pytest.fixture
def house(clinician: User, outsider: User, auditor: User, model_version: ModelVersion) -> House:
    report_worker(name="reader-1", model_versions=[model_version], engine="openvino")
    users = {"clinician": clinician, "outsider": outsider, "auditor": auditor}
    study = make_study(clinician, model_version, JobStatus.DONE, patient_id="P-0001")
    return House(study, make_export(clinician), users)


def names_in(patterns: list[URLPattern | URLResolver]) -> set[str]:
    names: set[str] = set()
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            names.add(str(pattern.name))
        elif pattern.namespace is None:
            names |= names_in(pattern.url_patterns)
    return names


def test_every_address_of_the_product_is_in_the_table() -> None:
    assert names_in(get_resolver().url_patterns) == {name for name in TABLE if ":" not in name}


@pytest.mark.parametrize(("name", "user"), CASES)
def test_a_visitor_gets_what_the_table_says(house: House, name: str, user: str) -> None:
    response = house.client(user, name).get(house.url(name))
    assert response.status_code == TABLE[name][USERS.index(user)]


@pytest.mark.parametrize(("name", "user"), POST_CASES)
def test_a_sender_gets_what_the_table_says(house: House, name: str, user: str) -> None:
    response = house.client(user, name).post(house.url(name), format="multipart")
    assert response.status_code == POST_TABLE[name][USERS.index(user)]


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row[0] == 302 and ":" not in name])
def test_the_anonymous_are_led_to_the_sign_in_and_back(house: House, name: str) -> None:
    response = Client().get(house.url(name))
    assert response["Location"] == f"/sign-in/?next={house.url(name)}"


@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("api_")])
def test_the_api_asks_for_a_token_and_leads_nowhere(house: House, name: str) -> None:
    response = Client().get(house.url(name))
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Token"
    assert "P-0001" not in response.content.decode()


@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("api_")])
def test_a_signed_in_browser_does_not_open_the_api(house: House, name: str) -> None:
    assert browser_of(house.users["clinician"]).get(house.url(name)).status_code == 401


@pytest.mark.parametrize("user", USERS[1:])
@pytest.mark.parametrize("name", OF_ONE_STUDY)
def test_an_unknown_id_is_not_found_by_anybody(house: House, name: str, user: str) -> None:
    response = house.client(user, name).get(house.url(name, uuid.uuid4()))
    assert response.status_code == 404
    assert "processing" not in response.content.decode().lower()


@pytest.mark.parametrize("name", OF_ONE_STUDY)
def test_an_outsider_cannot_tell_a_hidden_study_from_none(house: House, name: str) -> None:
    client = house.client("outsider", name)
    hidden, missing = client.get(house.url(name)), client.get(house.url(name, uuid.uuid4()))
    assert hidden.content == missing.content


@pytest.mark.parametrize("name", ASKED_OF_ONE_STUDY)
def test_an_outsider_who_asks_for_something_cannot_tell_a_hidden_study_from_none(house: House, name: str) -> None:
    client = house.client("outsider", name)
    hidden, missing = (client.post(house.url(name, other)) for other in (None, uuid.uuid4()))
    assert (hidden.status_code, hidden.content) == (404, missing.content)


@pytest.mark.parametrize("name", OF_ONE_STUDY)
def test_an_administrator_sees_no_clinicians_study_outside_the_panel(
    house: House, administrator: User, name: str
) -> None:
    house.users["administrator"] = administrator
    assert house.client("administrator", name).get(house.url(name)).status_code == 404


@pytest.mark.parametrize("name", [name for name in TABLE if name != "admin:index" and name not in OF_ITS_OWNER])
def test_a_radiologist_gets_of_every_study_what_its_sender_gets(house: House, radiologist: User, name: str) -> None:
    house.users["radiologist"] = radiologist
    assert house.client("radiologist", name).get(house.url(name)).status_code == TABLE[name][USERS.index("clinician")]


@pytest.mark.parametrize("name", [name for name in POST_TABLE if name not in OF_ITS_OWNER])
def test_a_radiologist_may_ask_of_every_study_what_its_sender_may(house: House, radiologist: User, name: str) -> None:
    house.users["radiologist"] = radiologist
    response = house.client("radiologist", name).post(house.url(name), format="multipart")
    assert response.status_code == POST_TABLE[name][USERS.index("clinician")]


def test_a_radiologist_who_loses_the_role_sees_nothing_of_others_any_more(house: House, radiologist: User) -> None:
    house.users["radiologist"] = radiologist
    client = house.client("radiologist", "study")
    radiologist.groups.clear()
    assert client.get(house.url("study")).status_code == 404


@pytest.mark.parametrize(("name", "method"), FORBIDDEN_METHODS)
def test_a_method_that_an_address_does_not_know_is_refused(house: House, name: str, method: str) -> None:
    response = house.client("clinician", name).generic(method, house.url(name))
    assert response.status_code == 405


@pytest.mark.parametrize("name", [name for name in TABLE if not name.startswith("api_") and TABLE[name][0] == 302])
def test_an_account_that_was_switched_off_is_out_at_once(house: House, name: str) -> None:
    client = house.client("clinician", name)
    User.objects.filter(username="clinician").update(is_active=False)
    assert client.get(house.url(name)).status_code == 302


@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("api_")])
def test_the_token_of_an_account_that_was_switched_off_opens_nothing(house: House, name: str) -> None:
    client = house.client("clinician", name)
    User.objects.filter(username="clinician").update(is_active=False)
    assert client.get(house.url(name)).status_code == 401


def test_the_history_of_an_outsider_holds_nothing_of_the_owners(house: House) -> None:
    for name in ("history", "api_studies", "worklist"):
        response = house.client("outsider", name).get(house.url(name))
        assert "P-0001" not in response.content.decode()
        assert "P-0001" in house.client("clinician", name).get(house.url(name)).content.decode()


@pytest.mark.parametrize(("name", "words"), [("healthz", b"ok\n"), ("readyz", b"ready\n")])
def test_a_probe_is_open_and_says_nothing_but_yes(house: House, name: str, words: bytes) -> None:
    response = Client().get(house.url(name))
    assert response.content == words
    assert "no-store" in response["Cache-Control"]
    assert not response.cookies


def test_a_site_without_a_worker_says_no_and_nothing_more(db: None) -> None:
    response = Client().get(reverse("readyz"))
    assert (response.status_code, response.content) == (503, b"not ready\n")
