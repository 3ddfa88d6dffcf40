"""What each answer carries, page or file, and what a browser is not served when another site's page asks."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from diagnoses.models import ModelVersion, Study
from diagnoses.views import health
from tests.access import PATIENT_ID, Address, House, addresses, open_house
from tests.conftest import api_of

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
NOWHERE = ("Access-Control-Allow-Origin", "Server", "X-Powered-By")
DOWNLOADS = [
    "history_csv",
    "dashboard_csv",
    "dashboard_json",
    "report_json",
    "report_pdf",
    "api_report_pdf",
    "export_file",
    "picture",
    "pixels",
    "heatmap",
    "heatmap_cells",
    "api_picture",
    "api_heatmap",
]
PATIENT = "Patient-4711"


@pytest.fixture
def house(model_version: ModelVersion) -> House:
    return open_house(model_version)


def place_named(name: str) -> Address:
    [place] = [place for place in addresses() if place.name == name]
    return place


def faults_of(response: Any, *, kept: bool = False) -> list[str]:
    """What an answer lacks; `kept` is one that browsers may keep, since it is the same for everybody."""
    policy = response.headers.get("Content-Security-Policy", "")
    faults = [name for name, value in EVERYWHERE.items() if response.headers.get(name) != value]
    faults += [name for name in NOWHERE if name in response.headers]
    if "default-src 'none'" not in policy or "unsafe" in policy:
        faults.append(f"Content-Security-Policy: {policy}")
    if not response.headers.get("Content-Type", "text/html").startswith(("text/html", "application/pdf")):
        faults += ["no sandbox"] * ("sandbox" not in policy)
    kind = response.headers.get("Content-Type", "")
    if re.match(r"text/|image/svg|application/x-ndjson", kind) and not re.search('charset="?utf-8', kind):
        faults.append(f"no charset: {kind}")
    if "frame-ancestors 'none'" not in policy and response.headers.get("X-Frame-Options") != "DENY":
        faults.append("can be framed")
    if "camera=()" not in response.headers.get("Permissions-Policy", ""):
        faults.append("Permissions-Policy")
    if not kept and "no-store" not in response.headers.get("Cache-Control", ""):
        faults.append("may be kept")
    return faults


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_answer_carries_the_headers(house: House, method: str) -> None:
    for place in addresses():
        for who in ("anonymous", "outsider", "auditor", "sender"):
            response = house.ask(who, place, method)
            kept = place.name in {"colour_bar", "admin:jsi18n"}
            assert faults_of(response, kept=kept) == [], (place.route, who, response.status_code)


def test_every_static_file_carries_the_headers(settings: LazySettings) -> None:
    call_command("collectstatic", link=True, interactive=False, verbosity=0)
    root = Path(settings.STATIC_ROOT)
    files = [path.relative_to(root) for path in root.rglob("*") if not path.is_dir()]
    assert len(files) > 50
    client = Client()
    for file in files:
        response = client.head(f"/static/{file}")
        assert response.status_code == 200, file
        assert faults_of(response, kept=True) == [], file


def test_an_error_carries_the_headers_and_shows_nothing_of_the_request(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> bool:
        raise RuntimeError(PATIENT)

    monkeypatch.setattr(health, "is_ready", fail)
    browser.raise_request_exception = False
    said = {"user-agent": PATIENT, "sec-fetch-site": "same-origin"}
    foreign = {**said, "sec-fetch-site": "cross-site"}
    strict = Client(enforce_csrf_checks=True)
    answers = [
        browser.get(f"/{PATIENT}/?{PATIENT}={PATIENT}", headers=said),
        browser.get(reverse("readyz"), {PATIENT: PATIENT}, headers=said),
        browser.post(reverse("preferences"), {PATIENT: PATIENT}, headers=foreign),
        strict.post(reverse("sign_in"), {"username": PATIENT}, headers=said),
    ]
    assert [answer.status_code for answer in answers] == [404, 500, 403, 403]
    for answer in answers:
        assert faults_of(answer) == [], answer.status_code
        assert PATIENT not in answer.content.decode()


@pytest.mark.parametrize("name", DOWNLOADS)
def test_the_name_of_a_download_is_made_up_and_holds_nothing_of_a_patient(house: House, name: str) -> None:
    disposition = house.ask("sender", place_named(name), "GET")["Content-Disposition"]
    assert re.fullmatch(r'(attachment|inline); filename="[a-z0-9-]+\.(bin|csv|jpg|json|pdf|png|zip)"', disposition), (
        disposition
    )
    assert PATIENT_ID.lower() not in disposition


# Where a request comes from


def asked(client: Client, method: str, name: str, site: str, mode: str, dest: str) -> int:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    return client.generic(method, reverse(name), headers=headers).status_code


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
@pytest.mark.parametrize(
    ("method", "mode", "dest", "is_served"),
    [
        ("GET", "navigate", "document", True),
        ("HEAD", "navigate", "document", True),
        ("POST", "navigate", "document", False),
        ("GET", "navigate", "iframe", False),
        ("GET", "navigate", "object", False),
        ("GET", "no-cors", "image", False),
        ("GET", "no-cors", "script", False),
        ("GET", "cors", "empty", False),
        ("POST", "cors", "empty", False),
    ],
)
def test_another_sites_page_leads_to_us_and_no_more(
    browser: Client, site: str, method: str, mode: str, dest: str, is_served: bool
) -> None:
    assert (asked(browser, method, "send", site, mode, dest) != 403) == is_served


@pytest.mark.parametrize("site", ["same-origin", "none"])
@pytest.mark.parametrize(("mode", "dest"), [("cors", "empty"), ("navigate", "document"), ("no-cors", "image")])
def test_our_own_pages_and_the_person_are_served(browser: Client, site: str, mode: str, dest: str) -> None:
    assert asked(browser, "GET", "send", site, mode, dest) == 200
    assert asked(browser, "POST", "send", site, mode, dest) == 400


@pytest.mark.parametrize("name", ["healthz", "readyz"])
def test_a_probe_is_answered_wherever_it_comes_from(house: House, name: str) -> None:
    assert asked(Client(), "GET", name, "cross-site", "cors", "empty") == 200


def test_a_program_with_a_token_is_served_and_a_page_without_one_is_not(clinician: User, done_study: Study) -> None:
    program = api_of(clinician)
    assert program.get(reverse("api_studies"), HTTP_SEC_FETCH_SITE="cross-site").status_code == 200
    assert Client().get(reverse("api_studies"), HTTP_SEC_FETCH_SITE="cross-site").status_code == 403


def test_the_session_opens_no_page_to_another_site_that_brings_a_header_of_its_own(browser: Client) -> None:
    """Browsers ask before they send such a header to another site, and we do not say yes."""
    headers = {"origin": "https://elsewhere.example", "access-control-request-method": "GET"}
    preflight = browser.options(reverse("worklist"), headers={**headers, "sec-fetch-site": "cross-site"})
    assert preflight.status_code == 403
    assert "Access-Control-Allow-Origin" not in preflight.headers


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Hundreds of refusals are asked for here, and logged."""
    with caplog.at_level("CRITICAL", logger="django.request"):
        yield
