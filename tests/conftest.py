"""What most tests stand on: a cast of users, a registered model, small radiographs."""

import logging
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.db import connection
from django.utils import translation
from rest_framework.test import APIClient

from diagnoses import denials, notices
from diagnoses.audit import user_actor
from diagnoses.models import ModelVersion
from diagnoses.models.registry import Standing
from diagnoses.models.token import Scope
from diagnoses.roles import Role
from diagnoses.selectors import pausing
from diagnoses.services.tokens import create_token, mark_used
from tests import pictures
from tests.diagnoses.factory import make_model_version
from workers.shipped import shipped_folders

_MODELS = Path(__file__).parent.parent / "workers" / "models"
SHIPPED_MODEL = _MODELS / "mobilenet_v2"
"""The one that a new site reads with."""
SHIPPED_MODELS = shipped_folders(_MODELS)
PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """The tests' database, which can be dropped at the end though something in this process still listens to it."""
    yield
    name = connection.settings_dict["NAME"]
    logging.getLogger(notices.__name__).disabled = True  # its word on the lost connection would find no handler open
    elsewhere = psycopg2.connect(**connection.get_connection_params() | {"dbname": "postgres"})
    with closing(elsewhere), elsewhere, elsewhere.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND application_name = %s",
            [name, notices.APPLICATION],
        )


def make_user(name: str, role: Role, *, is_staff: bool = False) -> User:
    user = User.objects.create_user(name, password=PASSWORD, is_staff=is_staff)
    user.groups.add(Group.objects.get(name=role))
    return user


@pytest.fixture
def clinician(db: None) -> User:
    return make_user("clinician", Role.CLINICIAN)


@pytest.fixture
def outsider(db: None) -> User:
    """Another clinician: allowed to do everything, and to see nothing of the first one's."""
    return make_user("outsider", Role.CLINICIAN)


@pytest.fixture
def radiologist(db: None) -> User:
    """One who sees every study of the site."""
    return make_user("radiologist", Role.RADIOLOGIST)


@pytest.fixture
def auditor(db: None) -> User:
    return make_user("auditor", Role.AUDITOR, is_staff=True)


@pytest.fixture
def administrator(db: None) -> User:
    return make_user("administrator", Role.ADMINISTRATOR, is_staff=True)


@pytest.fixture
def model_version(db: None) -> ModelVersion:
    """What new studies are read with: a made-up card, so that no test stands on what is shipped today."""
    return make_model_version(version="1.0.0", threshold=0.45, temperature=1.5, standing=Standing.LIVE)


@pytest.fixture
def api(clinician: User) -> APIClient:
    """The API in the clinician's hands."""
    return api_of(clinician)


def api_of(user: User, scopes: Collection[Scope] = tuple(Scope)) -> APIClient:
    new = create_token(actor=user_actor(user), user=user, name="tests", scopes=scopes)
    mark_used(token=new.token)  # so that no request of the test is the day's first, which writes
    return client_with(new.secret)


def client_with(secret: str) -> APIClient:
    """The API with this token."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {secret}")
    return client


@pytest.fixture(autouse=True)
def _own_media(settings: LazySettings, tmp_path: Path) -> None:
    """Each test keeps its files to itself."""
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture(autouse=True)
def _no_memory_of_a_pause() -> None:
    """What one test paused is not paused for the next."""
    pausing.forget()


@pytest.fixture(autouse=True)
def _own_counts_of_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test counts for itself; a minute's end puts nothing on record of what other tests were refused."""
    monkeypatch.setattr(denials, "_counts", denials._Counts())
    denials._counts.due()


@pytest.fixture(autouse=True)
def _own_language() -> Iterator[None]:
    """A page in Vietnamese leaves its language to this thread; the next test begins in English."""
    yield
    translation.deactivate()


@pytest.fixture(scope="session")
def radiograph_png() -> bytes:
    """A synthetic chest, as PNG."""
    return pictures.png(pictures.phantom())
