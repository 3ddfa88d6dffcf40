"""The Celery task, and what happens when a worker's process starts and stops."""

import logging
import os
from typing import Any

from celery import shared_task
from celery.signals import worker_process_init, worker_process_shutdown

from workers import drain as draining
from workers import runtime

_log = logging.getLogger(__name__)


@shared_task(name="workers.tasks.drain")
def drain() -> None:
    """Read what is queued."""
    draining.drain(runtime.current())


@worker_process_init.connect
def _load_model(**_: Any) -> None:
    # Celery logs an exception raised here and lets the process take jobs without a model: so leave, loudly.
    try:
        runtime.current()
    except BaseException:  # noqa: BLE001 - nothing may leave this process alive without a model
        _log.exception("The worker's process could not load its model")
        os._exit(1)


@worker_process_shutdown.connect
def _stop_reporting(**_: Any) -> None:
    runtime.shut_down()
