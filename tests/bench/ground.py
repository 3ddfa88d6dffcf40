"""PostgreSQL and Redis with the product's tables and nothing else of the site, and worker processes on them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cxrsite.embedded import EmbeddedPostgres, EmbeddedRedis
from tests.bench.place import place
from tests.integration.site import ROOT, clean_environment

_CODE = "import django; django.setup(); from tests.bench import worker; worker.serve()"


class Hand:
    """A process that does what it is told by `tests.bench.worker`, one thing at a time."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _CODE],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._log = log

    def tell(self, order: str, **arguments: Any) -> None:
        """Let it begin; its answer is fetched later."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"order": order, "arguments": arguments}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """What the last order gave. Raises RuntimeError where the process has ended over it."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker's process ended:\n{self._log.read_text()[-2000:]}")
        return json.loads(line)

    def ask(self, order: str, **arguments: Any) -> Any:
        self.tell(order, **arguments)
        return self.answer()

    def dismiss(self) -> None:
        """End it: it ends by itself once nothing can be said to it any more."""
        self._process.communicate(timeout=60)


class Ground:
    """Where jobs are put by SQL and read by processes of our own."""

    def __init__(self, environment: dict[str, str], log: Path, stack: ExitStack) -> None:
        self._environment = environment
        self._log = log
        self._stack = stack

    def hand(self) -> Hand:
        """One more process. It ends with the ground."""
        hand = Hand(self._environment, self._log)
        self._stack.callback(hand.dismiss)
        return hand


@contextmanager
def ground() -> Iterator[Ground]:
    """Servers of their own, as long as the context lasts."""
    with ExitStack() as stack:
        folder = stack.enter_context(place())
        values = {
            "CXR_ENV_FILE": "",
            "CXR_HTTPS": "0",
            "CXR_LOG_LEVEL": "WARNING",
            "CXR_MFA_ROLES": "none",
            "CXR_PAGES_PER_MINUTE": "1000000",
            "CXR_SECRET_KEY": "a key for benches alone, as long as a real one has to be",
            "CXR_DATA_KEYS": "1:YSBrZXkgdGhhdCBzZWFscyBmb3IgdGVzdHMgYWxvbmU=,"
            "index:YSBrZXkgdGhhdCBmaW5kcyBmb3IgdGVzdHMgYWxvbmU=",
            "CXR_VAR_DIR": str(folder),
            "DJANGO_SETTINGS_MODULE": "cxrsite.settings",
        }
        for kind in (EmbeddedPostgres, EmbeddedRedis):
            server = kind(folder / kind.folder_name)
            stack.callback(server.stop)
            values[kind.variable] = server.url
        environment = clean_environment(**values)
        for command in (["migrate", "--verbosity", "0"], ["register_models"]):
            manage = [sys.executable, str(ROOT / "manage.py"), *command]
            subprocess.run(manage, env=environment, check=True, stdout=subprocess.DEVNULL)
        yield Ground(environment, folder / "workers.log", stack)
