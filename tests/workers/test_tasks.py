"""What a worker's process does when it starts, together with what Celery does then."""

import os
import stat

import pytest
from celery import current_app
from django.db import connection
from django.utils.module_loading import import_string

from tests.threads import in_a_thread
from workers import tasks


@pytest.mark.django_db
def test_celery_closes_no_connection_that_the_pool_goes_on_using(monkeypatch: pytest.MonkeyPatch) -> None:
    descriptors: list[int] = []

    def use_the_database() -> None:
        connection.ensure_connection()
        descriptors.append(connection.connection.fileno())

    def start() -> None:
        tasks._load_model()
        celerys_own = import_string("celery.fixups.django.DjangoWorkerFixup")  # which its types do not know
        celerys_own(current_app).on_worker_process_init()

    monkeypatch.setattr(tasks, "watch", use_the_database)
    monkeypatch.setattr(tasks, "packer", use_the_database)
    in_a_thread(start)
    assert descriptors
    assert all(stat.S_ISSOCK(os.fstat(descriptor).st_mode) for descriptor in descriptors)
