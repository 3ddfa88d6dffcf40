"""Whether the parts that the product stands on are there."""

from django.db import Error, connection

from diagnoses import queue
from diagnoses.selectors.registry import a_worker_is_alive


def is_ready() -> bool:
    """Whether the database, the doorbell and a worker with its model all answer."""
    try:
        connection.ensure_connection()
        return a_worker_is_alive() and queue.answers()
    except Error:
        return False
