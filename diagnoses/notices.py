"""Word from PostgreSQL that something about a study has changed, for those who wait for it.

A notice is only a hint to look again. It is missed while the listener has no connection, so whoever waits looks after a
while anyway, and nothing is lost but time.
"""

import asyncio
import logging
import select
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import NoReturn

import psycopg2
from django.db import connection
from psycopg2.extensions import connection as Psycopg2Connection  # noqa: N812 - a class, whatever its name

_CHANNEL = "cxr_study"
APPLICATION = "cxr notices"
"""What the listener's connection is called in pg_stat_activity."""
_PAUSE_SECONDS = 1.0
"""Between the loss of the listener's connection and each try to open another."""

_log = logging.getLogger(__name__)


def tell(study_ids: Iterable[uuid.UUID]) -> None:
    """Send a notice of each of these studies, of which there is one at least, when the open transaction commits."""
    with connection.cursor() as cursor:
        names = sorted({str(study_id) for study_id in study_ids})
        cursor.execute("SELECT pg_notify(%s, study) FROM unnest(%s) AS study", [_CHANNEL, names])


class Following:
    """The wait of a thread for changes of one study."""

    def __init__(self) -> None:
        self._changed = threading.Event()

    def wake(self) -> None:
        """End the wait, or the next one; from any thread."""
        self._changed.set()

    def wait(self, seconds: float) -> bool:
        """Until something may have changed since the last wait, or for so long; whether something may have."""
        changed = self._changed.wait(seconds)
        self._changed.clear()
        return changed


class AsyncFollowing:
    """The same in an event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """End the wait, or the next one; from any thread."""
        with suppress(RuntimeError):  # of a loop that was closed, and all that waited in it with it
            self._loop.call_soon_threadsafe(self._changed.set)

    async def wait(self, seconds: float) -> bool:
        """Until something may have changed since the last wait, or for so long; whether something may have."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        changed = self._changed.is_set()
        self._changed.clear()
        return changed


@contextmanager
def following(study_id: uuid.UUID) -> Iterator[Following]:
    """Notice changes of a study from here on: whoever looks after this and then waits misses none between the two."""
    follower = Following()
    with _listener.waking(study_id, follower.wake):
        yield follower


@contextmanager
def following_async(study_id: uuid.UUID) -> Iterator[AsyncFollowing]:
    """The same in an event loop."""
    follower = AsyncFollowing()
    with _listener.waking(study_id, follower.wake):
        yield follower


class _Listener:
    """The process's one connection that hears notices, and whom to wake at which. It starts at the first need."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wakes: dict[str, list[Callable[[], None]]] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def waking(self, study_id: uuid.UUID, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake` at each notice of this study, and after each time in which one may have been missed."""
        study = str(study_id)
        with self._lock:
            self._wakes.setdefault(study, []).append(wake)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._wakes[study].remove(wake)
                if not self._wakes[study]:
                    del self._wakes[study]

    def _run(self) -> NoReturn:
        is_lost = False
        while True:
            try:
                with closing(_connect()) as database:
                    is_lost = False
                    self._listen(database)
            except Exception as error:  # noqa: BLE001 - whatever it was, those who wait need a listener
                if not is_lost:
                    _log.warning("Notices of changes are out of reach (%s); who waits looks now and then.", error)
                is_lost = True
            time.sleep(_PAUSE_SECONDS)

    def _listen(self, database: Psycopg2Connection) -> NoReturn:
        self._wake_all()
        readable = select.poll()
        readable.register(database, select.POLLIN)
        while True:
            while database.notifies:
                self._wake(database.notifies.pop(0).payload)
            readable.poll()
            database.poll()

    def _wake(self, study: str) -> None:
        with self._lock:
            wakes = list(self._wakes.get(study, ()))
        for wake in wakes:
            wake()

    def _wake_all(self) -> None:
        with self._lock:
            studies = list(self._wakes)
        for study in studies:
            self._wake(study)


def _connect() -> Psycopg2Connection:
    """A connection that listens. It is none of the pool's, which would hand it to others when it comes back."""
    database: Psycopg2Connection = psycopg2.connect(
        **connection.get_connection_params() | {"application_name": APPLICATION}
    )
    database.autocommit = True
    with database.cursor() as cursor:
        cursor.execute(f"LISTEN {_CHANNEL}")
    return database


_listener = _Listener()
