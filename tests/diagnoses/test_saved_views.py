"""Filters under a name: kept, chosen, renamed, deleted, and nobody else's."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from diagnoses.models import SavedView, Study
from tests.diagnoses.conftest import browser_of


def save(client: Client, **fields: str) -> Any:
    sent = {"page": "worklist", "name": "Mine", "query": "urgent=1", **fields}
    return client.post(reverse("saved_views"), sent, follow=True)


def change(client: Client, view: SavedView, **fields: str) -> Any:
    return client.post(reverse("saved_view", args=[view.pk]), {"do": "rename", **fields}, follow=True)


@pytest.fixture
def view(clinician: User) -> SavedView:
    return SavedView.objects.create(user=clinician, page="worklist", name="Mine", query="urgent=1")


@pytest.mark.usefixtures("done_study")
def test_a_filter_is_kept_under_a_name_and_can_be_chosen(browser: Client) -> None:
    response = save(browser)
    assert response.redirect_chain == [("/?urgent=1", 302)]
    page = response.content.decode()
    assert "The view “Mine” is saved." in page
    assert '<a class="dropdown-item active" href="/?urgent=1" aria-current="true">Mine</a>' in page


def test_saving_under_the_same_name_replaces_the_filter(browser: Client, view: SavedView) -> None:
    save(browser, query="urgent=0")
    assert SavedView.objects.get().query == "urgent=0"


def test_a_view_of_the_history_leads_to_the_history(browser: Client) -> None:
    assert save(browser, page="history", query="status=failed").redirect_chain == [("/history/?status=failed", 302)]


def test_a_view_gets_another_name(browser: Client, view: SavedView) -> None:
    assert change(browser, view, name="Night", query="urgent=1").redirect_chain == [("/?urgent=1", 302)]
    view.refresh_from_db()
    assert view.name == "Night"


def test_two_views_of_a_page_cannot_have_one_name(browser: Client, clinician: User, view: SavedView) -> None:
    other = SavedView.objects.create(user=clinician, page="worklist", name="Other")
    change(browser, other, name="Mine")
    other.refresh_from_db()
    assert other.name == "Other"


def test_a_view_is_deleted(browser: Client, view: SavedView) -> None:
    change(browser, view, do="delete")
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": "n" * 65}, {"query": "q" * 2001}])
def test_what_cannot_be_kept_is_not(browser: Client, done_study: Study, fields: dict[str, str]) -> None:
    assert 'alert-danger" role="alert"' in save(browser, **fields).content.decode()
    assert not SavedView.objects.exists()


def test_a_view_of_no_page_is_refused(browser: Client) -> None:
    assert save(browser, page="admin").status_code == 400


def test_an_outsider_neither_sees_nor_changes_a_view(outsider: User, view: SavedView) -> None:
    client = browser_of(outsider)
    assert "Mine" not in client.get(reverse("worklist")).content.decode()
    for act in ("rename", "delete"):
        assert change(client, view, do=act, name="Stolen").status_code == 404
    view.refresh_from_db()
    assert view.name == "Mine"
