"""Child processes of a single-machine site: started, watched, started again when they die, stopped together."""

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from cxrsite.lifeline import end_with_parent
from cxrsite.logs import make_folder, open_log, rotate

_TOO_MANY_DEATHS = 5
_WITHIN_SECONDS = 60.0
_STOP_SECONDS = 20.0


class Child:
    """A process that is meant to run for as long as the site does. Its output goes to a file."""

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = environment
        self._deaths: deque[float] = deque(maxlen=_TOO_MANY_DEATHS)
        self._process = self._start()

    @property
    def pid(self) -> int:
        """The process that runs now."""
        return self._process.pid

    def revive(self, report: Callable[[str], None]) -> bool:
        """Start the process again where it has died, and say so. False where it dies over and over."""
        rotate(self.log)
        status = self._process.poll()
        if status is None:
            return True
        self._deaths.append(time.monotonic())
        report(f"The {self.name} {_in_words(status)}; its log is {self.log}.")
        if len(self._deaths) == _TOO_MANY_DEATHS and time.monotonic() - self._deaths[0] < _WITHIN_SECONDS:
            report(f"The {self.name} died {_TOO_MANY_DEATHS} times within a minute; giving up.")
            return False
        self._kill_what_it_left()
        report(f"Starting the {self.name} again.")
        self._process = self._start()
        return True

    def ask_to_stop(self) -> None:
        """Tell it to finish what it is at and end."""
        if self._process.poll() is None:
            self._process.terminate()

    def wait(self) -> None:
        """Wait until it has ended; one that does not end in 20 seconds is killed."""
        try:
            self._process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._kill_what_it_left()

    def _start(self) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C reaches the site alone, which then stops everything in order.
        make_folder(self.log.parent)  # who cleans up may have taken it away
        with open_log(self.log) as log:
            return subprocess.Popen(
                self._command,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - no other thread runs when it starts
            )

    def _kill_what_it_left(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _in_words(status: int) -> str:
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
