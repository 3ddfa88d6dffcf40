"""Every address, asked for by everybody, by every method: as the table says that people can read."""

import os

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse

from diagnoses.models import ModelVersion
from tests.access import (
    NEEDS_FACTOR,
    PATIENT_ID,
    PEOPLE,
    TABLE,
    Address,
    House,
    addresses,
    answers,
    open_house,
    unknown,
)
from tests.access_table import WRITE
from tests.diagnoses.conftest import browser_of

SIGNED_IN = [who for who in PEOPLE if who not in ("anonymous", "deactivated", "factorless")]
OPEN_TO_ALL = {
    "colour_bar",
    "healthz",
    "readyz",
    "sign_in",
    "account_login",
    "cancel_sign_in",
    "mfa_authenticate",
    "invitation",
    "set_language",
    "admin:login",
    "admin_sign_in",
}
"""What one need not be signed in for."""


@pytest.fixture
def house(model_version: ModelVersion, settings: LazySettings) -> House:
    settings.CXR_MFA_ROLES = frozenset({NEEDS_FACTOR})
    return open_house(model_version)


@pytest.mark.timeout(600)
def test_everybody_is_answered_as_the_table_says(house: House) -> None:
    """A change is written by `python -m tests.access_table`, and looked at before it is checked in."""
    found = answers(house)
    if os.environ.get(WRITE):
        TABLE.write_text("\n".join(found) + "\n")
    expected = TABLE.read_text().splitlines()
    assert [line for line in found if line not in expected] == []
    assert [line for line in expected if line not in found] == []
    assert not [line for line in found[1:] if "500" in line.split()]


def test_the_anonymous_are_led_to_the_sign_in_and_back(house: House) -> None:
    for place in pages():
        if place.name in OPEN_TO_ALL:
            continue
        path = house.path(place)
        response = house.ask("anonymous", place, "GET")
        leads = {f"{reverse(name)}?next={path}" for name in ("sign_in", "admin:login")}
        assert (response.status_code, response["Location"] in leads) == (302, True), path


def test_the_api_asks_for_a_token_and_leads_nowhere(house: House) -> None:
    for place in (place for place in addresses() if place.is_api):
        response = house.ask("anonymous", place, "GET")
        assert (response.status_code, response["WWW-Authenticate"]) == (401, "Token"), place.route
        assert PATIENT_ID not in response.content.decode()


def test_a_signed_in_browser_does_not_open_the_api(house: House) -> None:
    browser = browser_of(house.people["sender"])
    assert {browser.get(house.path(place)).status_code for place in addresses() if place.is_api} == {401}


def test_an_unknown_key_is_not_found_by_anybody(house: House) -> None:
    for place in of_rows():
        for who in SIGNED_IN:
            response = house.ask(who, place, "GET", house.path(place, **unknown(place)))
            assert response.status_code in (404, 405), (place.route, who)
            assert "processing" not in response.content.decode().lower()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_may_not_see_a_row_cannot_tell_it_from_none(house: House, method: str) -> None:
    compared = 0
    for place in of_rows():
        for who in ("outsider", "auditor", "administrator"):
            hidden = house.ask(who, place, method)
            missing = house.ask(who, place, method, house.path(place, **unknown(place)))
            assert (hidden.status_code, hidden.content) == (missing.status_code, missing.content), (place.route, who)
            compared += hidden.status_code == 404
    assert compared > 10


def test_a_browser_changes_nothing_without_its_token_against_forgery(house: House) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(house.people["sender"])
    asked = 0
    for place in pages():
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            response = browser.generic(method, house.path(place))
            assert response.status_code == 403, (place.route, method)
            asked += 1
    assert asked > 100


def test_who_loses_a_role_sees_nothing_more(house: House) -> None:
    study = next(place for place in addresses() if place.name == "study")
    for who in ("sender", "colleague", "radiologist"):
        assert house.ask(who, study, "GET").status_code == 200
        house.people[who].groups.clear()
        assert house.ask(who, study, "GET").status_code == 404


def test_the_lists_of_who_may_not_see_a_study_hold_nothing_of_it(house: House) -> None:
    lists = [place for place in addresses() if place.name in ("history", "api_studies", "worklist")]
    for place in lists:
        for who in SIGNED_IN:
            shown = house.ask(who, place, "GET").content
            sees = who in ("sender", "colleague", "radiologist")
            assert (PATIENT_ID in shown.decode()) is sees, (place.route, who)


def test_the_panel_names_no_patient_and_no_file(house: House) -> None:
    filename = house.study.images.get().filename
    read = 0
    for place in (place for place in addresses() if place.route.startswith("admin/diagnoses/")):
        for who in ("administrator", "auditor"):
            response = house.ask(who, place, "GET")
            read += response.status_code == 200
            if not response.streaming:
                said = response.content.decode()
                assert PATIENT_ID not in said
                assert filename not in said
    assert read > 20


@pytest.mark.parametrize(("name", "words"), [("healthz", b"ok\n"), ("readyz", b"ready\n")])
def test_a_probe_is_open_and_says_nothing_but_yes(house: House, name: str, words: bytes) -> None:
    response = Client().get(reverse(name))
    assert response.content == words
    assert "no-store" in response["Cache-Control"]
    assert not response.cookies


def test_a_site_without_a_worker_says_no_and_nothing_more(db: None) -> None:
    response = Client().get(reverse("readyz"))
    assert (response.status_code, response.content) == (503, b"not ready\n")


def pages() -> list[Address]:
    """What browsers open."""
    return [place for place in addresses() if not place.is_api]


def of_rows() -> list[Address]:
    return [place for place in addresses() if place.is_of_rows]
