"""PostgreSQL and Redis on other machines: reached by TLS, and only where the certificate is theirs."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from cxrsite.database import database_settings, redis_tls
from cxrsite.env import read_environment
from diagnoses import checks
from diagnoses.checks import servers_elsewhere_are_reached_by_tls
from tests.tls import Certificate, make_certificate, tls_before

DATABASE = urlsplit(os.environ["DATABASE_URL"])
REDIS_SOCKET = Path(urlsplit(os.environ["REDIS_URL"]).path)
pytestmark = pytest.mark.skipif(
    "host=" not in DATABASE.query or not os.environ["REDIS_URL"].startswith("redis+socket"),
    reason="the tests' own servers are not used",
)


@pytest.fixture
def shown(tmp_path: Path) -> Certificate:
    """What the servers here show."""
    return make_certificate(tmp_path / "ours", "localhost")


@pytest.fixture
def ours(shown: Certificate) -> Path:
    """The certificate that vouches for it: the same."""
    return shown.certificate


@pytest.fixture
def postgres(shown: Certificate) -> Iterator[str]:
    """PostgreSQL behind TLS: its address."""
    socket = Path(parse_qs(DATABASE.query)["host"][0]) / ".s.PGSQL.5432"
    with tls_before(socket, shown, postgres=True) as port:
        yield f"postgresql://{DATABASE.username}:{DATABASE.password}@localhost:{port}/postgres"


@pytest.fixture
def redis(shown: Certificate) -> Iterator[str]:
    """Redis behind TLS: its address."""
    with tls_before(REDIS_SOCKET, shown) as port:
        yield f"rediss://:{urlsplit(os.environ['REDIS_URL']).password}@localhost:{port}/0"


def encrypted(monkeypatch: pytest.MonkeyPatch, **variables: str) -> bool:
    """Connect as the settings say: whether the connection is by TLS. Raises psycopg2.OperationalError."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = database_settings(read_environment(), owner=False)
    place = {"host": found["HOST"], "port": found["PORT"], "user": found["USER"], "password": found["PASSWORD"]}
    with closing(psycopg2.connect(dbname=found["NAME"], **place, **found["OPTIONS"])) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return bool(connection.info.ssl_in_use)


def rings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Reach the broker as the settings say. Raises kombu's OperationalError."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with Celery(broker=variables["REDIS_URL"], set_as_current=False) as app:
        app.conf.broker_use_ssl = redis_tls(read_environment())
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=5)
            channel: Any = broker.default_channel
            assert channel.client.ping()


def test_postgresql_with_its_own_certificate_is_reached_by_tls(
    monkeypatch: pytest.MonkeyPatch, postgres: str, ours: Path
) -> None:
    assert encrypted(monkeypatch, DATABASE_URL=postgres, CXR_DATABASE_CA=str(ours))
    parameters = f"?sslmode=verify-full&sslrootcert={ours}"
    assert encrypted(monkeypatch, DATABASE_URL=postgres + parameters, CXR_DATABASE_CA="")


def test_postgresql_with_another_certificate_is_not_spoken_to(
    monkeypatch: pytest.MonkeyPatch, postgres: str, tmp_path: Path
) -> None:
    other = make_certificate(tmp_path / "other", "localhost").certificate
    with pytest.raises(psycopg2.OperationalError, match="certificate verify failed"):
        encrypted(monkeypatch, DATABASE_URL=postgres, CXR_DATABASE_CA=str(other))


def test_postgresql_under_another_name_than_its_certificates_is_not_spoken_to(
    monkeypatch: pytest.MonkeyPatch, postgres: str, ours: Path
) -> None:
    elsewhere = postgres.replace("localhost", "127.0.0.1")
    with pytest.raises(psycopg2.OperationalError, match="does not match host name"):
        encrypted(monkeypatch, DATABASE_URL=elsewhere, CXR_DATABASE_CA=str(ours))


def test_redis_with_its_own_certificate_is_reached_by_tls(
    monkeypatch: pytest.MonkeyPatch, redis: str, ours: Path
) -> None:
    rings(monkeypatch, REDIS_URL=redis, CXR_REDIS_CA=str(ours))


def test_redis_with_another_certificate_or_name_is_not_spoken_to(
    monkeypatch: pytest.MonkeyPatch, redis: str, ours: Path, tmp_path: Path
) -> None:
    other = make_certificate(tmp_path / "other", "localhost").certificate
    with pytest.raises(OperationalError, match="certificate verify failed"):
        rings(monkeypatch, REDIS_URL=redis, CXR_REDIS_CA=str(other))
    with pytest.raises(OperationalError, match="certificate"):
        rings(monkeypatch, REDIS_URL=redis.replace("localhost", "127.0.0.1"), CXR_REDIS_CA=str(ours))


def settings_of(**values: Any) -> SimpleNamespace:
    """A site's, of which nothing leaves the machine but what `values` say."""
    mail = {"CXR_SENDS_MAIL": False, "EMAIL_HOST": "", "EMAIL_USE_SSL": False, "EMAIL_USE_TLS": False}
    here = {"DATABASES": database(), "CELERY_BROKER_URL": "redis+socket:///run/redis", "CXR_STORAGE": "file"}
    return SimpleNamespace(**{**here, **mail, "CXR_TRUSTED_NETWORK": False, **values})


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ({"CXR_STORAGE": "s3", "CXR_S3_ENDPOINT": "http://minio.example:9000"}, ["diagnoses.E004"]),
        ({"CXR_STORAGE": "s3", "CXR_S3_ENDPOINT": "https://minio.example:9000"}, []),
        ({"CXR_STORAGE": "s3", "CXR_S3_ENDPOINT": "http://127.0.0.1:9000"}, []),
        ({"CXR_STORAGE": "s3", "CXR_S3_ENDPOINT": None}, []),
        ({"CXR_SENDS_MAIL": True, "EMAIL_HOST": "mail.example"}, ["diagnoses.E005"]),
        ({"CXR_SENDS_MAIL": True, "EMAIL_HOST": "mail.example", "EMAIL_USE_TLS": True}, []),
        ({"CXR_SENDS_MAIL": True, "EMAIL_HOST": "mail.example", "EMAIL_USE_SSL": True}, []),
        ({"CXR_SENDS_MAIL": True, "EMAIL_HOST": "localhost"}, []),
    ],
)
def test_files_and_mail_in_clear_to_elsewhere_stop_the_start_unless_the_network_is_trusted(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], ids: list[str]
) -> None:
    settings = settings_of(**values)
    monkeypatch.setattr(checks, "settings", settings)
    assert [problem.id for problem in servers_elsewhere_are_reached_by_tls(None)] == ids
    settings.CXR_TRUSTED_NETWORK = True
    assert servers_elsewhere_are_reached_by_tls(None) == []


def database(**options: str) -> dict[str, Any]:
    return {"default": {"HOST": options.pop("HOST", ""), "OPTIONS": options}}


@pytest.mark.parametrize(
    ("found", "broker", "ids"),
    [
        (database(HOST="db.example"), "redis+socket:///run/redis", ["diagnoses.E002"]),
        (database(HOST="db.example", sslmode="require"), "redis://localhost", ["diagnoses.E002"]),
        (database(HOST="db.example", sslmode="verify-ca"), "redis://127.0.0.1", ["diagnoses.E002"]),
        (database(HOST="db.example", sslmode="verify-full"), "redis://:x@redis.example/0", ["diagnoses.E003"]),
        (database(HOST="10.0.0.5"), "redis://10.0.0.6", ["diagnoses.E002", "diagnoses.E003"]),
        (database(HOST="db.example", sslmode="verify-full"), "rediss://redis.example", []),
        (database(host="/run/postgresql"), "redis+socket:///run/redis", []),
        (database(HOST="localhost"), "redis://[::1]:6379", []),
    ],
)
def test_a_server_elsewhere_without_verified_tls_stops_the_start_unless_the_network_is_trusted(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, Any], broker: str, ids: list[str]
) -> None:
    settings = settings_of(DATABASES=found, CELERY_BROKER_URL=broker)
    monkeypatch.setattr(checks, "settings", settings)
    problems = servers_elsewhere_are_reached_by_tls(None)
    assert [problem.id for problem in problems] == ids
    assert all("CXR_TRUSTED_NETWORK" in str(problem.hint) for problem in problems)
    settings.CXR_TRUSTED_NETWORK = True
    assert servers_elsewhere_are_reached_by_tls(None) == []
