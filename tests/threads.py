"""Threads for tests, whose errors are the test's."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

from django.db import OperationalError, connection


def in_a_thread(act: Callable[[], None]) -> None:
    """Run with a database connection of its own, and hand on what it raises."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - handed on below
            raised.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


@contextmanager
def no_database() -> Iterator[None]:
    """This thread can open no connection to the database."""
    with mock.patch.object(connection, "get_new_connection", side_effect=OperationalError("it is away")):
        yield
