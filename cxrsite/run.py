"""`python -m cxrsite.run`: the whole product on a single machine, from servers to worker. `make run` calls it."""

import base64
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil

from cxrsite.children import Child
from cxrsite.embedded import EmbeddedPostgres, EmbeddedRedis, Server, ServerError, kept_secret
from cxrsite.env import BASE_DIR

_READY_SECONDS = 120.0
_SERVERS = {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"}
_OWNERS_ALONE = {"DATABASE_OWNER_URL", "CXR_AUDIT_READER_PASSWORD", "CXR_BACKUP_KEY"}
"""What no process that serves, reads or schedules is told."""
_SCHEDULERS_ALONE = {"CXR_AUDIT_KEY"}
"""What of these processes the scheduler is told, and no other."""
_CHECKED = "--skip-checks"
"""For what comes after `migrate`, whose system checks were those of the whole site."""
_THIS_MACHINE = {"127.0.0.1", "localhost", "::1"}
_ANY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


class StartError(Exception):
    """The site cannot start; the text says why and what to do."""


class _StoppedError(Exception):
    """Somebody asked for an end before the start was done."""


@dataclass(frozen=True)
class Options:
    """Where the site listens and keeps its data."""

    host: str
    port: int
    var: Path

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the site."""
        return f"http://{_as_name('127.0.0.1' if self.host in _ANY_ADDRESS else self.host)}:{self.port}"


def main() -> int:
    """Run until told to stop. The exit status is 0 after a stop that was asked for."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stopper(stop))
    try:
        with ExitStack() as stack:
            return _run(read_options(), stop, stack)
    except _StoppedError:
        return 0
    except StartError as error:
        print(error, file=sys.stderr)
        return 1


def _run(options: Options, stop: threading.Event, stack: ExitStack) -> int:
    options.var.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock(options.var, stack)
    _check_port(options)
    _say("Starting the servers")
    servers = start_servers(options.var, stack, _waiter(stop))
    environment = make_environment(options, servers)
    _say("Preparing the database")
    for command in _preparing(environment):
        for line in manage(command, environment).splitlines():
            _say(f"    {line}")
    _leave_environment(options.var, environment, stack)
    _say("Starting web, worker and scheduler")
    children = _start_children(options, environment, stack)
    if not _wait_until_ready(options, children, stop):
        return 0
    # Only now: passwords made by a start that then fails would be lost.
    _greet(options, manage(["first_users", _CHECKED], environment))
    for line in [*names_of(options, environment), *warnings_of(options, environment)]:
        _say(line)
    return _watch([*servers, *children], stop)


def _preparing(environment: dict[str, str]) -> list[list[str]]:
    """The commands to be run before each start. The roles come after the tables that they are given rights on."""
    roles = [["database_roles", _CHECKED]] if "DATABASE_OWNER_URL" in environment else []
    return [["migrate", "--noinput", "--verbosity", "0"], *roles, ["register_models", _CHECKED]]


def _stopper(stop: threading.Event) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    return handle


def read_options() -> Options:
    """From the environment. Raises StartError."""
    port = os.environ.get("PORT") or "8000"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise StartError(f"PORT={port} is no port: give a number from 1 to 65535.")
    var = Path(os.environ.get("CXR_VAR_DIR") or BASE_DIR / "var").resolve()
    return Options(os.environ.get("HOST") or "127.0.0.1", int(port), var)


def lock(var: Path, stack: ExitStack) -> None:
    """Keep other sites from this folder until the stack ends. Raises StartError."""
    file = stack.enter_context((var / "run.lock").open("w"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StartError(f"The site in {var} is running already. Stop it first, or set CXR_VAR_DIR.") from error


def _check_port(options: Options) -> None:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
        except OSError as error:
            raise StartError(
                f"Cannot listen on {options.host} port {options.port}: {error.strerror}. Choose another with "
                f"`make run PORT={options.port + 1}`, or stop what is there."
            ) from error


def _waiter(stop: threading.Event) -> Callable[[float], None]:
    def wait(seconds: float) -> None:
        if stop.wait(seconds):
            raise _StoppedError

    return wait


def start_servers(var: Path, stack: ExitStack, wait: Callable[[float], object] = time.sleep) -> list[Server]:
    """Our own PostgreSQL and Redis, each where the environment names none. Raises StartError."""
    servers: list[Server] = []
    try:
        if not os.environ.get("DATABASE_URL"):
            servers.append(EmbeddedPostgres(var / EmbeddedPostgres.folder_name, _say, wait))
            stack.callback(servers[-1].stop)
        if not os.environ.get("REDIS_URL"):
            servers.append(EmbeddedRedis(var / EmbeddedRedis.folder_name))
            stack.callback(servers[-1].stop)
    except ServerError as error:
        raise StartError(str(error)) from error
    return servers


def make_environment(options: Options, servers: list[Server]) -> dict[str, str]:
    """For the owner's commands. Of the database's two roles the product itself gets the one that may do less."""
    urls: dict[str, str] = {}
    for server in servers:
        if isinstance(server, EmbeddedPostgres):
            password = kept_secret(options.var / "database_password")
            urls |= {"DATABASE_URL": server.url_of("cxr_application", password), "DATABASE_OWNER_URL": server.url}
        else:
            urls[server.variable] = server.url
    old_keys = options.var / "old_secret_keys"  # a restore brings them, where there were some
    defaults = {
        "CXR_SECRET_KEY": kept_secret(options.var / "secret_key"),
        **({"CXR_SECRET_KEY_OLD": kept_secret(old_keys)} if old_keys.exists() else {}),
        "CXR_AUDIT_KEY": kept_secret(options.var / "audit_key"),
        "CXR_DATA_KEYS": kept_secret(options.var / "data_keys", _new_data_keys),
        "CXR_HTTPS": "0",
        "CXR_MFA_ROLES": "none",
        "CXR_ALLOWED_HOSTS": ",".join(_names_of_this_machine(options.host)),
        "CXR_VAR_DIR": str(options.var),
        "CXR_ENV_FILE": "",
        "PYTHONUNBUFFERED": "1",
    }
    return {**defaults, **{name: value for name, value in os.environ.items() if value}, **urls}


def _new_data_keys() -> str:
    return ",".join(f"{name}:{base64.b64encode(secrets.token_bytes(32)).decode()}" for name in ("1", "index"))


def _names_of_this_machine(host: str) -> list[str]:
    names = ["localhost", "127.0.0.1", "[::1]"]
    if host in _ANY_ADDRESS:
        names += [socket.gethostname(), socket.getfqdn(), *_addresses_of_this_machine(host)]
        with suppress(OSError):  # not every machine knows its own name
            names += [str(entry[4][0]) for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    else:
        names.append(_as_name(host))
    return list(dict.fromkeys(names))


def _addresses_of_this_machine(host: str) -> list[str]:
    """Of its interfaces: to its own name many a system gives an address of the loopback alone."""
    families = {socket.AF_INET, socket.AF_INET6} if ":" in host else {socket.AF_INET}
    of_interfaces = [entry for entries in psutil.net_if_addrs().values() for entry in entries]
    # One of a link, which has the interface in it, stands in no browser's address.
    return [_as_name(entry.address) for entry in of_interfaces if entry.family in families and "%" not in entry.address]


def _as_name(address: str) -> str:
    """As it stands in a URL."""
    return f"[{address}]" if ":" in address else address


def manage(arguments: list[str], environment: dict[str, str]) -> str:
    """What a command of `manage.py` prints. Raises StartError with what went wrong."""
    command = [sys.executable, str(BASE_DIR / "manage.py"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StartError(f"`manage.py {arguments[0]}` failed:\n{done.stderr.strip()}")
    return done.stdout


def _leave_environment(var: Path, environment: dict[str, str], stack: ExitStack) -> None:
    """For `manage.py` in a second terminal, as long as the site runs."""
    path = var / "site.env"
    names = sorted(name for name in environment if name.startswith("CXR_") or name in _SERVERS)
    lines = [f"{name}={_quoted(environment[name])}\n" for name in names if name != "CXR_ENV_FILE"]
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(lines)
    stack.callback(path.unlink, missing_ok=True)


def _quoted(value: str) -> str:
    """A value as python-dotenv reads it back.

    It fills in ${…} within quotes, too; `${:-$}` is the variable without a name, or else $.
    """
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + escaped.replace("${", "${:-$}{") + "'"


def _start_children(options: Options, environment: dict[str, str], stack: ExitStack) -> list[Child]:
    logs = options.var / "log"
    manage = [sys.executable, str(BASE_DIR / "manage.py")]
    web = [sys.executable, "-m", "uvicorn", "cxrsite.asgi:application", "--app-dir", str(BASE_DIR)]
    web += ["--host", options.host, "--port", str(options.port)]
    web += ["--timeout-graceful-shutdown", "3", "--no-access-log", "--no-server-header"]
    commands = {"web server": web, "worker": [*manage, "worker"], "scheduler": [*manage, "scheduler", _CHECKED]}
    children: list[Child] = []
    stack.callback(_stop_all, children)
    for name, command in commands.items():
        children.append(Child(name, command, _told(name, environment), logs / f"{name.replace(' ', '-')}.log"))
    return children


def _told(process: str, environment: dict[str, str]) -> dict[str, str]:
    kept = _OWNERS_ALONE if process == "scheduler" else _OWNERS_ALONE | _SCHEDULERS_ALONE
    return {name: value for name, value in environment.items() if name not in kept}


def _stop_all(children: list[Child]) -> None:
    _say("Stopping")
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.wait()


def _wait_until_ready(options: Options, children: list[Child], stop: threading.Event) -> bool:
    """True once the site can read a radiograph, False where it was told to stop. Raises StartError."""
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        if stop.wait(0.2):
            return False
        if not all(child.revive(_say) for child in children):
            raise StartError("The site did not start.")
        if _is_ready(options):
            return True
    logs = ", ".join(str(child.log) for child in children)
    raise StartError(f"The site was not ready after {_READY_SECONDS:.0f} seconds; see {logs}.")


def _is_ready(options: Options) -> bool:
    try:
        with urllib.request.urlopen(f"{options.url}/readyz", timeout=5) as answer:  # noqa: S310 - our own # nosec B310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _greet(options: Options, accounts: str) -> None:
    _say(f"Ready: {options.url}")
    if accounts:
        _say("Two accounts were made; this is the only time that their passwords are shown:")
        for line in accounts.splitlines():
            _say(f"    {line}")
    _say("Ctrl-C stops everything; what was sent in is kept.")


def names_of(options: Options, environment: dict[str, str]) -> list[str]:
    """What a site that others can reach is to be called by them."""
    if options.host in _THIS_MACHINE:
        return []
    names = ", ".join(environment["CXR_ALLOWED_HOSTS"].split(","))
    return [f"From elsewhere it answers to {names}; set CXR_ALLOWED_HOSTS where it has other names."]


def warnings_of(options: Options, environment: dict[str, str]) -> list[str]:
    """What a site that others can reach lacks, and what to do about it."""
    if options.host in _THIS_MACHINE:
        return []
    lacking = []
    if environment["CXR_HTTPS"] == "0":
        lacking.append(
            f"WARNING: {options.host} is reached from the network, and everything, passwords and patients, goes there "
            "in clear: put a proxy with TLS before it and set CXR_HTTPS=1."
        )
    if environment["CXR_MFA_ROLES"] == "none":
        lacking.append("WARNING: nobody is asked for a second factor: set CXR_MFA_ROLES to the roles that need one.")
    return lacking


def _watch(parts: list[Server | Child], stop: threading.Event) -> int:
    while not stop.wait(0.5):
        if not all(part.revive(_say) for part in parts):
            return 1
    return 0


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
