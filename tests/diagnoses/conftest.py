"""What the tests of the web stand on, beside the cast of users: quick sign-ins, static files, the doorbell."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, current_app
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

from cxrsite import celery_app
from diagnoses.models import Job, ModelVersion, Study
from diagnoses.states import JobStatus
from tests import s3
from tests.diagnoses.factory import make_model_version, make_study


@pytest.fixture(autouse=True)
def _web_settings(settings: LazySettings, tmp_path: Path) -> None:
    """Passwords are hashed quickly, and static files are found without having been collected."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture
def browser(clinician: User) -> Client:
    """The pages in the clinician's hands."""
    return browser_of(clinician)


def browser_of(user: User) -> Client:
    client = Client(REMOTE_ADDR="192.0.2.7")
    client.force_login(user)
    return client


@pytest.fixture
def done_study(clinician: User, model_version: ModelVersion) -> Study:
    """The clinician's study of one image, read."""
    return make_study(clinician, model_version, JobStatus.DONE, patient_id="P-0001", accession_number="A-77")


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """An S3 server."""
    with s3.s3_server() as url:
        yield url


@pytest.fixture
def bucket(s3_url: str, settings: LazySettings) -> str:
    """The site keeps its files in this bucket, which is new."""
    name = f"test-{uuid.uuid4().hex}"
    s3.make_bucket(s3_url, name)
    use_bucket(settings, s3_url, name)
    return name


def use_bucket(settings: LazySettings, url: str, name: str) -> None:
    """From here on files are kept there."""
    options = {"endpoint_url": url, "bucket_name": name, "access_key": s3.ACCESS_KEY, "secret_key": s3.SECRET_KEY}
    default = {"BACKEND": "diagnoses.storage.s3.PrivateS3Storage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": default}
    settings.CXR_STORAGE = "s3"


class Doorbell:
    """How often it has been rung, as the real Redis has it."""

    def __init__(self) -> None:
        with current_app.connection_for_write() as broker:
            channel: Any = broker.default_channel
            channel.queue_purge(current_app.conf.task_default_queue)

    def rings(self) -> int:
        """Messages that wait for a worker."""
        with current_app.connection_for_write() as broker:
            channel: Any = broker.default_channel
            return int(channel._size(current_app.conf.task_default_queue))

    def message(self) -> Any:
        """One of them, taken off the queue."""
        with current_app.connection_for_read() as broker:
            channel: Any = broker.default_channel
            return channel.basic_get(current_app.conf.task_default_queue, no_ack=True)


@pytest.fixture
def doorbell() -> Doorbell:
    return Doorbell()


@pytest.fixture
def dead_broker(tmp_path: Path) -> Iterator[None]:
    """Celery is configured as on a site, and its Redis is away."""
    app = Celery("dead", set_as_current=True)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.conf.update(broker_url=f"redis+socket://{tmp_path}/away.sock")
    yield
    celery_app.set_current()


@pytest.fixture
def done(done_study: Study) -> Job:
    """The reading of the clinician's study."""
    return Job.objects.get(image__study=done_study)


@pytest.fixture
def xception(model_version: ModelVersion) -> ModelVersion:
    """A second version to read with."""
    return make_model_version("xception", "1.0.0")
