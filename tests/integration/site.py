"""The whole product, started as its users start it, with hands on every one of its processes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg2
import redis
from dotenv import dotenv_values

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 90.0
STOP_SECONDS = 40.0

Files = Sequence[tuple[str, bytes]]
"""What is sent: names with contents."""

_READY = "Ctrl-C stops everything"
"""Begins the last line of what a start says."""
_DIGESTS = """
import json
from diagnoses.sealing import key_digest
def by_digest(keys):
    return {key_digest(key): key for key in keys}
"""
_OPENED = """
import json
from hashlib import sha256
from diagnoses.models import Image
from diagnoses.sealing import SealError
from diagnoses.selectors.originals import read_original
hashes = {}
for image in Image.objects.select_related("study__subject"):
    try:
        hashes[image.stored_name] = sha256(read_original(image)).hexdigest()
    except FileNotFoundError:
        pass
    except (OSError, SealError):
        hashes[image.stored_name] = ""
print(json.dumps(hashes))
"""

T = TypeVar("T")


def wait_until(condition: Callable[[], T], seconds: float, what: str, *, every_seconds: float = 0.02) -> T:
    """The first true answer of `condition`, asked over and over. Fails with `what` after so many seconds."""
    until = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > until:
            raise AssertionError(f"waited {seconds:.0f} seconds in vain: {what}")
        time.sleep(every_seconds)
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(**values: str) -> dict[str, str]:
    """This process's environment without anything that speaks to the product, and `values`."""
    ours = re.compile(r"CXR_.*|DATABASE_(OWNER_)?URL|REDIS_URL|HOST|PORT|DJANGO_SETTINGS_MODULE")
    return {**{name: value for name, value in os.environ.items() if not ours.fullmatch(name)}, **values}


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Site:
    """One site in a folder of its own. It may be started, stopped and started again."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.var = folder / "var"
        self.port = free_port()
        self.passwords: dict[str, str] = {}
        self._tokens: dict[str, str] = {}
        self._environment = environment
        self._log = folder / "site.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: set[psutil.Process] = set()
        # The folder is open to the account that the database runs as when the tests run as root.
        folder.chmod(0o755)

    # Starting and stopping

    def launch(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start `cxrsite.run` and do not wait for anything. Its output of this start alone is in `output`."""
        values = {"CXR_VAR_DIR": str(self.var), "PORT": str(self.port), "CXR_API_PER_MINUTE": "100000"}
        values |= {**self._environment, **environment}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cxrsite.run"],
                cwd=ROOT,
                env=clean_environment(**values),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self._process

    def start(self, **environment: str) -> Self:
        """Start, and wait until the site has said where it is, and all that it says then."""
        process = self.launch(**environment)
        wait_until(lambda: _READY in self.output or process.poll() is not None, START_SECONDS, "the site is ready")
        assert process.poll() is None, f"it ended with status {process.returncode}:\n{self.output}"
        self.passwords |= dict(re.findall(r"^    (\w+)  (\S+)$", self.output, re.MULTILINE))
        self._seen |= set(self.processes())
        return self

    def signal(self, number: signal.Signals) -> None:
        """Send a signal as a terminal does: to the whole group of the process in front."""
        os.killpg(self.supervisor, number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for the end, and give back the exit status."""
        assert self._process
        return self._process.wait(seconds)

    def stop(self) -> int:
        """Ctrl-C, and its exit status."""
        self.signal(signal.SIGINT)
        return self.wait()

    def destroy(self) -> None:
        """End what is left, whatever a test did to it."""
        if self._process and self._process.poll() is None:
            self._seen |= set(self.processes())
            self.signal(signal.SIGINT)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        left = list(filter(is_alive, self._seen))
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=10)  # their numbers too, where their new parent cares

    # Looking in

    @property
    def output(self) -> str:
        """What the site has said since its start."""
        return self._log.read_text()

    @property
    def url(self) -> str:
        """The address that the site gave."""
        match = re.search(r"^Ready: (\S+)$", self.output, re.MULTILINE)
        assert match, self.output
        return match[1]

    @property
    def settings(self) -> dict[str, str]:
        """What the site left for a second terminal."""
        return {name: value or "" for name, value in dotenv_values(self.var / "site.env").items()}

    @property
    def supervisor(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def web(self) -> int:
        return self._child("uvicorn")

    @property
    def worker(self) -> int:
        """Celery's parent."""
        return self._child("celery")

    @property
    def worker_child(self) -> int:
        """The process that holds the model, once it has told the database so."""
        return int(self.worker_name(self.worker).split(":")[1])

    def worker_name(self, parent: int) -> str:
        """What the child of this parent calls itself, once it has told the database so."""
        process = psutil.Process(parent)

        def reporting() -> list[str]:
            children = [f":{child.pid}:" for child in process.children() if is_alive(child)]
            names = [str(name) for (name,) in self.rows("SELECT name FROM diagnoses_worker")]
            return [name for name in names if any(child in name for child in children)]

        return wait_until(reporting, START_SECONDS, "a worker's child reports itself")[0]

    @property
    def scheduler(self) -> int:
        return self._child("scheduler")

    @property
    def redis(self) -> int:
        return self._child("redis-server")

    @property
    def postgres(self) -> int:
        return int((self.var / "postgres" / "postmaster.pid").read_text().split()[0])

    def processes(self) -> list[psutil.Process]:
        """Every process of the site that runs now. PostgreSQL has left the supervisor's family."""
        found: list[psutil.Process] = []
        roots = [self.supervisor]
        if (self.var / "postgres" / "postmaster.pid").exists():
            roots.append(self.postgres)
        for root in roots:
            try:
                process = psutil.Process(root)
                found += [process, *process.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
        return [process for process in found if is_alive(process)]

    def wait_until_ready(self) -> None:
        """Wait until the site is whole: it says so itself, and a worker's child has its model."""
        wait_until(self._is_ready, START_SECONDS, "the site is whole again")
        assert self.worker_child
        self._seen |= set(self.processes())

    # Using it

    def manage(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command in a second terminal."""
        return subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            env=clean_environment(CXR_ENV_FILE=str(self.var / "site.env"), **environment),
            capture_output=True,
            text=True,
            timeout=120,
        )

    def shell(self, code: str) -> str:
        """What it prints in the product's own shell."""
        done = self.manage("shell", "--no-imports", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def second_worker(self, log: Path, *, within: Sequence[str] = (), **environment: str) -> Iterator[int]:
        """Another worker beside the site's own, as long as the context lasts; its process's number.

        `within` is a command that starts others elsewhere, as on another host.
        """
        command = [*within, sys.executable, str(ROOT / "manage.py"), "worker"]
        values = clean_environment(CXR_ENV_FILE=str(self.var / "site.env"), **environment)
        with log.open("wb") as file:
            process = subprocess.Popen(
                command, env=values, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired as error:
                raise AssertionError(f"the other worker did not end in {STOP_SECONDS} seconds") from error
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    def add_clinician(self, name: str, password: str) -> None:
        """Another account, beside the first clinician's."""
        code = (
            "from django.contrib.auth.models import Group, User\n"
            f"user = User.objects.create_user({name!r}, password={password!r})\n"
            "user.groups.add(Group.objects.get(name='clinician'))"
        )
        self.shell(code)

    @contextmanager
    def client(self, user: str = "clinician") -> Iterator[httpx.Client]:
        """The API in a user's hands. It has no retries: what fails, fails."""
        if user not in self._tokens:
            done = self.manage("create_token", user)
            assert done.returncode == 0, done.stderr
            self._tokens[user] = done.stdout.strip()
        headers = {"Authorization": f"Token {self._tokens[user]}"}
        with httpx.Client(base_url=f"{self.url}/api/v1/", headers=headers, timeout=60) as client:
            yield client

    @contextmanager
    def database(self) -> Iterator[Any]:
        """A connection of its own, as the tables' owner; each statement commits by itself."""
        connection = psycopg2.connect(self.settings.get("DATABASE_OWNER_URL") or self.settings["DATABASE_URL"])
        connection.autocommit = True
        try:
            yield connection
        finally:
            connection.close()

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.database() as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def redis_command(self, *words: str) -> Any:
        """A command straight to Redis."""
        bell = urlsplit(self.settings["REDIS_URL"])
        with redis.Redis(unix_socket_path=bell.path, password=bell.password) as client:
            return client.execute_command(*words)

    def file(self, name: str) -> Path:
        """Where storage keeps what has this name."""
        return self.var / "media" / name

    def kept(self, name: str) -> bytes:
        """What storage keeps under this name."""
        return self.file(name).read_bytes()

    def opened(self) -> dict[str, str]:
        """Of each image's file that is there, the SHA-256 of what was sealed; nothing where it does not open."""
        hashes: dict[str, str] = json.loads(self.shell(_OPENED))
        return hashes

    def keys_by_digest(self, keys: Collection[str]) -> dict[str, str]:
        """Senders' own keys, each under what the site keeps of it."""
        found: dict[str, str] = json.loads(self.shell(f"{_DIGESTS}print(json.dumps(by_digest({list(keys)!r})))"))
        return found

    def pseudonym_of(self, patient_id: str) -> str:
        """The patient's, as rows know them; empty where there is none."""
        look = f"print(getattr(find_patient({patient_id!r}), 'pk', ''))"
        return self.shell(f"from diagnoses.selectors.patients import find_patient\n{look}").strip()

    def _child(self, word: str) -> int:
        def found() -> list[int]:
            children = psutil.Process(self.supervisor).children()
            return [child.pid for child in children if is_alive(child) and _has(child, word)]

        return wait_until(found, START_SECONDS, f"a process with {word!r} in its command line")[0]

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=10).status_code == 200
        except httpx.TransportError:
            return False


def _has(process: psutil.Process, word: str) -> bool:
    try:
        return any(word in part for part in process.cmdline()[:4])
    except psutil.NoSuchProcess:
        return False


def post_study(client: httpx.Client, files: Files, *, key: str = "", **details: str) -> httpx.Response:
    """Send files as one study, under an idempotency key where one is given."""
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("studies/", files=[("files", file) for file in files], data=details, headers=headers)


def ended_study(client: httpx.Client, study_id: str, seconds: float = 60) -> dict[str, Any]:
    """The study, once each of its files has its answer."""

    def look() -> dict[str, Any] | None:
        study: dict[str, Any] = client.get(f"studies/{study_id}/").raise_for_status().json()
        return study if all(image["status"] not in ("queued", "running") for image in study["images"]) else None

    study = wait_until(look, seconds, f"study {study_id} is answered")
    assert study
    return study
