"""`manage.py worker`: check the model, then become a Celery worker."""

import os
import subprocess
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

_CELERY = ["celery", "-A", "cxrsite", "worker", "--pool", "prefork", "--without-gossip", "--without-mingle"]


class Command(BaseCommand):
    """Exits with an error instead of starting without a good model."""

    help = "Read what is queued, with the model CXR_MODEL on CXR_ENGINE."

    def handle(self, *args: Any, **options: Any) -> None:
        # In a process of its own: what becomes Celery's parent must never have loaded an engine, since an engine
        # that was used before a fork hangs in the child.
        folder = settings.CXR_MODELS_DIR / settings.CXR_MODEL
        check = subprocess.run(
            [sys.executable, "-m", "workers.inference.selfcheck", str(folder), settings.CXR_ENGINE],
            cwd=settings.BASE_DIR,
            check=False,
        )
        if check.returncode != 0:
            raise CommandError("The worker does not start without a good model.")
        os.execv(sys.executable, [sys.executable, "-m", *_CELERY, "--loglevel", settings.CXR_LOG_LEVEL])  # noqa: S606
