"""A single machine's own PostgreSQL: on a socket that its account alone may use, and with a password even there."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest

from cxrsite.embedded import EmbeddedPostgres


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Not pytest's own folder: its path may be too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="cxr-own-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "postgres")
    (folder / "url").write_text(server.url)
    yield folder
    server.stop()
    shutil.rmtree(folder)


def ask(url: str, statement: str) -> str:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone()
        return str(row and row[0])


def test_nobody_gets_in_without_the_password(folder: Path) -> None:
    url = (folder / "url").read_text()
    assert ask(url, "SELECT 1") == "1"
    parts = urlsplit(url)
    for password in ("", ":", ":wrong"):
        stranger = f"postgresql://postgres{password}@/postgres?{parts.query}"
        with pytest.raises(psycopg2.OperationalError, match=r"no password supplied|password authentication failed"):
            ask(stranger, "SELECT 1")


def test_it_listens_on_a_socket_alone_which_is_its_accounts_own(folder: Path) -> None:
    url = (folder / "url").read_text()
    socket = Path(parse_qs(urlsplit(url).query)["host"][0]) / ".s.PGSQL.5432"
    assert socket.stat().st_mode & 0o777 == 0o700
    assert (folder / "postgres").stat().st_mode & 0o777 == 0o700
    assert ask(url, "SHOW listen_addresses") == ""
    assert (folder / "postgres_password").stat().st_mode & 0o777 == 0o600


def test_passwords_are_kept_as_scram_and_the_log_has_none(folder: Path) -> None:
    url = (folder / "url").read_text()
    password = (folder / "postgres_password").read_text()
    assert ask(url, "SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'").startswith("SCRAM-SHA-256$")
    assert password not in (folder / "postgres" / "log").read_text()


def test_one_that_trusted_everybody_is_closed_at_its_next_start(folder: Path) -> None:
    rules = folder / "postgres" / "pg_hba.conf"
    url = (folder / "url").read_text()
    rules.write_text("local all all trust\n")
    ask(url, "SELECT pg_reload_conf()")
    stranger = f"postgresql://postgres@/postgres?{urlsplit(url).query}"
    assert ask(stranger, "SELECT 1") == "1"
    EmbeddedPostgres(folder / "postgres")
    with pytest.raises(psycopg2.OperationalError, match="no password supplied"):
        ask(stranger, "SELECT 1")
    assert ask(url, "SELECT 1") == "1"
