"""The doorbell: the only line that publishes."""

import logging

from celery import current_app
from kombu.exceptions import OperationalError

DRAIN = "workers.tasks.drain"
"""The task that a ring starts, by name: the web never imports a worker."""

_RETRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
"""Once more at once: after a restart of Redis the first use of an old connection fails."""

_log = logging.getLogger(__name__)


def ring() -> bool:
    """Wake a worker. The message says nothing but that; a ring that cannot be sent is logged and made good later.

    Gives back whether it was sent.
    """
    try:
        current_app.send_task(DRAIN, ignore_result=True, retry=True, retry_policy=_RETRY)
    except (OperationalError, OSError) as error:
        _log.warning("The doorbell is out of reach (%s); the scheduler will ring again.", error)
        return False
    return True


def answers() -> bool:
    """Whether the broker can be spoken to now."""
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    except (OperationalError, OSError) as error:
        _log.warning("The doorbell is out of reach (%s).", error)
        return False
    return True
