"""Whether the parts that the product stands on are there."""

from celery import current_app
from django.db import DatabaseError, connection
from kombu.exceptions import OperationalError

from diagnoses.selectors.registry import a_worker_is_alive


def is_ready() -> bool:
    """Whether the database, the doorbell and a worker with its model all answer."""
    try:
        connection.ensure_connection()
        return a_worker_is_alive() and _broker_answers()
    except DatabaseError:
        return False


def _broker_answers() -> bool:
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    except (OperationalError, OSError):
        return False
    return True
