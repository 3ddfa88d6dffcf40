"""API tokens: what is kept of them, what each opens, until when, and whose they are."""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone
from rest_framework.test import APIClient

from diagnoses.api.urls import urlpatterns
from diagnoses.audit import Actor, user_actor
from diagnoses.models import ApiToken, AuditEvent, Image, Job, ModelVersion, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.token import Scope
from diagnoses.services.tokens import NewToken, create_token, revoke_token, revoke_tokens_of
from diagnoses.states import JobStatus
from tests.conftest import api_of, client_with
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import make_study
from tests.diagnoses.signing_in import confirm

STUDIES = "/api/v1/studies/"
PAGE = {"name": "export", "scopes": ["read", "send"], "days": "30"}


def new_token(user: User, **options: Any) -> NewToken:
    return create_token(actor=user_actor(user), user=user, **{"name": "export", **options})


def secrets_in(response: Any) -> list[str]:
    return re.findall("cxr_[A-Za-z0-9_-]{43}", response.content.decode())


def test_a_token_is_kept_as_a_digest_of_256_random_bits(clinician: User) -> None:
    new, other = new_token(clinician), new_token(clinician)
    assert new.secret != other.secret
    assert re.fullmatch("cxr_[A-Za-z0-9_-]{43}", new.secret)
    kept = ApiToken.objects.filter(pk=new.token.pk).values().get()
    assert kept["digest"] == hashlib.sha256(new.secret.encode()).hexdigest()
    assert kept["start"] == new.secret[:10]
    assert new.secret not in str(kept)


@pytest.mark.parametrize(
    "header",
    [
        "Token cxr_unknown",
        "Token {start}",
        "Token {digest}",
        "Bearer {secret}",
        "Token",
        "Token {secret} x",
        "{secret}",
    ],
)
def test_what_is_no_token_opens_nothing(clinician: User, header: str) -> None:
    new = new_token(clinician)
    client = APIClient()
    said = header.format(secret=new.secret, start=new.token.start, digest=new.token.digest)
    client.credentials(HTTP_AUTHORIZATION=said)
    response = client.get(STUDIES)
    assert response.status_code == 401
    assert new.secret not in response.content.decode()


def _revoke(token: ApiToken) -> None:
    assert revoke_token(actor=Actor(None, ""), token=token)


def _expire(token: ApiToken) -> None:
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now())


def _deactivate(token: ApiToken) -> None:
    User.objects.filter(pk=token.user_id).update(is_active=False)


@pytest.mark.parametrize(("end", "words"), [(_revoke, "revoked"), (_expire, "expired"), (_deactivate, "deactivated")])
def test_an_ended_token_opens_nothing_and_says_why(
    clinician: User, end: Callable[[ApiToken], None], words: str
) -> None:
    new = new_token(clinician)
    client = client_with(new.secret)
    assert client.get(STUDIES).status_code == 200
    end(new.token)
    response = client.get(STUDIES)
    assert response.status_code == 401
    assert words in response.json()["detail"]


def test_an_outsiders_token_stays_when_ones_own_are_revoked(clinician: User, outsider: User) -> None:
    new_token(clinician), new_token(clinician), new_token(outsider)
    assert revoke_tokens_of(actor=Actor(None, ""), user=clinician) == 2
    assert revoke_tokens_of(actor=Actor(None, ""), user=clinician) == 0
    assert ApiToken.objects.filter(revoked_at=None).get().user == outsider
    assert AuditEvent.objects.filter(action=AuditAction.TOKEN_REVOKED).count() == 2


@pytest.mark.parametrize("options", [{"days": 0}, {"days": 366}, {"scopes": []}])
def test_no_token_is_without_end_or_scope(clinician: User, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="365"):
        new_token(clinician, **options)
    assert not ApiToken.objects.exists()


def test_the_day_of_the_last_use_is_written_once_a_day(clinician: User, django_assert_num_queries: Any) -> None:
    client = client_with(new_token(clinician).secret)
    assert ApiToken.objects.get().last_used_on is None
    client.get("/api/v1/models/")
    assert ApiToken.objects.get().last_used_on == timezone.localdate()
    with django_assert_num_queries(2):  # the token with its user, and the models
        client.get("/api/v1/models/")
    ApiToken.objects.update(last_used_on=timezone.localdate() - timedelta(days=1))
    client.get("/api/v1/models/")
    assert ApiToken.objects.get().last_used_on == timezone.localdate()


# What a token opens


def asks(study: Study) -> dict[str, tuple[str, str]]:
    """An address and a method for each thing that the API does, and the scope that it needs."""
    image, job = Image.objects.get(study=study), Job.objects.get(image__study=study)
    return {
        f"GET {STUDIES}": ("read", "list"),
        f"GET {STUDIES}{study.pk}/": ("read", "study"),
        f"HEAD {STUDIES}{study.pk}/": ("read", "study"),
        f"GET {STUDIES}{study.pk}/report/": ("read", "report"),
        f"GET {STUDIES}{study.pk}/report.pdf": ("read", "report"),
        f"GET /api/v1/images/{image.pk}/picture/": ("read", "picture"),
        f"GET /api/v1/jobs/{job.pk}/heatmap/": ("read", "heatmap"),
        "GET /api/v1/models/": ("read", "models"),
        "GET /api/v1/schema/": ("read", "schema"),
        f"POST {STUDIES}": ("send", "a study"),
        f"POST /api/v1/images/{image.pk}/readings/": ("decide", "a reading"),
        f"POST /api/v1/jobs/{job.pk}/override/": ("decide", "an override"),
    }


@pytest.mark.parametrize("held", list(Scope))
def test_a_token_opens_what_its_scope_says_and_nothing_else(
    clinician: User, model_version: ModelVersion, held: Scope
) -> None:
    study = make_study(clinician, model_version, JobStatus.DONE)
    client = api_of(clinician, [held])
    for asked, (scope, what) in asks(study).items():
        method, path = asked.split()
        response = client.generic(method, path)
        assert (response.status_code == 403) == (scope != held), (asked, what, response.status_code)
        if scope != held and method != "HEAD":
            assert f"lacks the scope “{scope}”" in response.content.decode()


def test_every_view_of_the_api_names_a_scope_for_each_method_that_it_has() -> None:
    views: dict[str, Any] = {str(url.name): url.callback for url in urlpatterns if isinstance(url, URLPattern)}
    assert views
    for name, callback in views.items():
        has = {method for method in ("GET", "POST", "PUT", "PATCH", "DELETE") if hasattr(callback.cls, method.lower())}
        assert set(callback.cls.scopes) >= has, name
        assert set(callback.cls.scopes.values()) <= set(Scope), name


def test_a_view_that_names_no_scope_is_closed(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from diagnoses.api.readings import ModelsView  # noqa: PLC0415 - the one whose scope is taken away

    assert api.get("/api/v1/models/").status_code == 200
    monkeypatch.setattr(ModelsView, "scopes", {})
    assert api.get("/api/v1/models/").status_code == 403


# The page


@pytest.fixture
def sure(browser: Client) -> Client:
    """The same pages, where it was said a moment ago once more who it is."""
    confirm(browser)
    return browser


def test_a_token_is_shown_once_and_works(sure: Client) -> None:
    page = sure.post(reverse("api_tokens"), PAGE)
    [secret] = secrets_in(page)
    assert "no-store" in page["Cache-Control"]
    assert client_with(secret).get(STUDIES).status_code == 200
    again = sure.get(reverse("api_tokens"))
    assert secrets_in(again) == []
    assert secret[:10] in again.content.decode()


def test_a_page_that_is_loaded_again_makes_no_second_token(sure: Client) -> None:
    sure.post(reverse("api_tokens"), PAGE)
    page = sure.post(reverse("api_tokens"), PAGE)
    assert page.status_code == 400
    assert "has this name" in page.content.decode()
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize(
    "change", [{"name": ""}, {"name": "x" * 65}, {"scopes": []}, {"scopes": ["all"]}, {"days": "366"}, {"days": "0"}]
)
def test_a_wrong_wish_makes_no_token_and_says_so(sure: Client, change: dict[str, Any]) -> None:
    page = sure.post(reverse("api_tokens"), {**PAGE, **change})
    assert page.status_code == 400
    assert 'role="alert"' in page.content.decode()
    assert not ApiToken.objects.exists()


def test_a_token_is_made_only_by_who_said_once_more_who_it_is(browser: Client) -> None:
    for answer in (browser.get(reverse("api_tokens")), browser.post(reverse("api_tokens"), PAGE)):
        assert answer["Location"].startswith(reverse("account_reauthenticate"))
    assert not ApiToken.objects.exists()


def test_a_token_is_revoked_by_its_user_alone(browser: Client, clinician: User, outsider: User) -> None:
    new = new_token(clinician)
    address = reverse("revoke_api_token", args=[new.token.pk])
    assert browser_of(outsider).post(address).status_code == 404
    assert client_with(new.secret).get(STUDIES).status_code == 200
    assert browser.post(address).status_code == 302
    assert client_with(new.secret).get(STUDIES).status_code == 401
    confirm(browser)
    assert "Revoked" in browser.get(reverse("api_tokens")).content.decode()


def test_an_outsiders_page_holds_nothing_of_ones_own_tokens(clinician: User, outsider: User) -> None:
    new = new_token(clinician, name="mine-alone")
    theirs = browser_of(outsider)
    confirm(theirs)
    page = theirs.get(reverse("api_tokens")).content.decode()
    assert "API tokens" in page
    assert new.token.start not in page
    assert "mine-alone" not in page
