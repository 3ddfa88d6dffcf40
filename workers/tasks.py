"""The Celery task, and what happens when a worker's process starts and stops."""

import logging
import os
from functools import cache
from typing import Any

from billiard import pool
from celery import shared_task
from celery.signals import worker_process_init, worker_process_shutdown
from django.db import connection

from workers import drain as draining
from workers import runtime
from workers.packing import Packer
from workers.watch import Watch

_log = logging.getLogger(__name__)

# In tenths of a second. A child that ends waits so long for its parent to have taken note of each result: by default
# thirty seconds. Once Redis was away the parent never does, and of ours nobody waits for a result.
pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 20


@shared_task(name="workers.tasks.drain")
def drain() -> None:
    """Read what is queued."""
    watch().heard()
    draining.drain(runtime.current())


@cache
def watch() -> Watch:
    """The watch of this process, begun at the first call."""
    begun = Watch(runtime.current())
    begun.start()
    return begun


@cache
def packer() -> Packer:
    """What packs exports in this process, begun at the first call."""
    begun = Packer(runtime.current())
    begun.start()
    return begun


@worker_process_init.connect
def _load_model(**_: Any) -> None:
    # Celery logs an exception raised here and lets the process take jobs without a model: so leave, loudly.
    try:
        watch()
        packer()
        # Celery, which is next to hear of this process, closes the descriptor under any connection that this thread has
        # open. The pool would keep that connection, and talk to whatever got the descriptor's number.
        connection.close()
    except BaseException:  # noqa: BLE001 - nothing may leave this process alive without a model
        _log.exception("The worker's process could not load its model")
        os._exit(1)


@worker_process_shutdown.connect
def _stop_reporting(**_: Any) -> None:
    if packer.cache_info().currsize:
        packer().stop()
    if watch.cache_info().currsize:
        watch().stop()
    runtime.shut_down()
