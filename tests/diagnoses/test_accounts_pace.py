"""What one user's browsers may fetch in a minute."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from diagnoses.accounts import pace
from diagnoses.models import Study
from diagnoses.models.audit import AuditAction, Outcome
from tests.conftest import api_of
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import last_event

START = 1_800_000_000
"""The first second of a minute, since 1970."""


@pytest.fixture(autouse=True)
def clock(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Three a minute, at a time that the test sets."""

    class Clock:
        now = START

        def time(self) -> float:
            return self.now

    cache.clear()
    settings.CXR_PAGES_PER_MINUTE = 3
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    return clock


def statuses(client: Client, *addresses: str) -> list[int]:
    return [client.get(address).status_code for address in addresses]


def test_more_than_the_site_allows_is_429_with_a_time_until_the_next_minute(browser: Client, clock: Any) -> None:
    clock.now = START + 18
    history = reverse("history")
    assert statuses(browser, *[history] * 4) == [200, 200, 200, 429]
    response = browser.head(history)
    assert (response.status_code, response["Retry-After"]) == (429, "42")
    clock.now = START + 60
    assert statuses(browser, history) == [200]


def test_pages_and_pictures_of_all_browsers_of_a_user_count_together(clinician: User, done_study: Study) -> None:
    image = done_study.images.get()
    one, other = browser_of(clinician), browser_of(clinician)
    assert statuses(one, reverse("study", args=[done_study.pk]), reverse("history")) == [200, 200]
    assert statuses(other, reverse("worklist"), reverse("picture", args=[image.pk])) == [200, 429]


def test_nobody_takes_from_another(browser: Client, outsider: User) -> None:
    assert statuses(browser, *[reverse("history")] * 4)[-1] == 429
    assert statuses(browser_of(outsider), reverse("history")) == [200]
    assert statuses(Client(), *[reverse("sign_in")] * 5) == [200] * 5


def test_what_sends_something_and_what_has_a_token_is_bounded_elsewhere(browser: Client, clinician: User) -> None:
    assert statuses(browser, *[reverse("history")] * 4)[-1] == 429
    assert browser.post(reverse("sign_out")).status_code == 302
    assert statuses(api_of(clinician), *["/api/v1/models/"] * 5) == [200] * 5


def test_it_is_on_record_and_said_in_words(browser: Client, clinician: User) -> None:
    statuses(browser, *[reverse("history")] * 3)
    page = browser.get(reverse("history"))
    assert "Wait a minute, then open the page again." in page.content.decode()
    event = last_event(AuditAction.ACCESS_DENIED)
    assert (event.actor_name, event.outcome) == (clinician.username, Outcome.MINOR_FAILURE)
    assert event.detail == {"page": "history", "method": "GET", "status": 429}


def test_a_cache_that_has_forgotten_the_count_shuts_nobody_out(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgotten(_: str) -> int:
        raise ValueError

    monkeypatch.setattr(cache, "incr", forgotten)
    assert statuses(browser, *[reverse("history")] * 5) == [200] * 5
