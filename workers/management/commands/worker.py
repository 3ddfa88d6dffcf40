"""`manage.py worker`: check the models, then become a Celery worker."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection

from diagnoses.services.registry import default_model
from workers.inference.card import ModelError, read_card
from workers.shipped import shipped_folders

_CELERY = ["celery", "-A", "cxrsite", "worker", "--pool", "prefork", "--without-gossip", "--without-mingle"]
_ASK_AGAIN_AFTER_SECONDS = 2.0
_GIVE_UP_AFTER_SECONDS = 60.0


class Command(BaseCommand):
    """Exits with an error instead of starting without a good default model."""

    help = "Read what is queued, with every model in CXR_MODELS_DIR, on CXR_ENGINE."

    def handle(self, *args: Any, **options: Any) -> None:
        folders = shipped_folders(settings.CXR_MODELS_DIR)
        live = _live_folder(folders)
        others = [folder for folder in folders if folder != live]
        # In a process of its own: what becomes Celery's parent must never have loaded an engine, since an engine
        # that was used before a fork hangs in the child.
        check = subprocess.run(
            [sys.executable, "-m", "workers.inference.selfcheck", settings.CXR_ENGINE, *map(str, [live, *others])],
            cwd=settings.BASE_DIR,
            check=False,
        )
        if check.returncode != 0:
            raise CommandError("The worker does not start without a good model.")
        command = [sys.executable, "-m", *_CELERY, "--loglevel", settings.CXR_LOG_LEVEL]
        # This command has made the system checks; Celery would make them once more and keep to itself what they find.
        os.execve(command[0], command, {**os.environ, "CELERY_SKIP_CHECKS": "1"})  # noqa: S606 # nosec B606


def _live_folder(folders: list[Path]) -> Path:
    name, version = _default_model()
    for folder in folders:
        try:
            card = read_card(folder)
        except ModelError:
            continue  # the check below says what is wrong with it
        if (card.name, card.version) == (name, version):
            return folder
    raise CommandError(
        f"The default model, {name} {version}, has no good card in {settings.CXR_MODELS_DIR}. Run register_models."
    )


def _default_model() -> tuple[str, str]:
    """Name and version of what new studies are read with; waits a while for a database that is away."""
    until = time.monotonic() + _GIVE_UP_AFTER_SECONDS
    while True:
        try:
            default = default_model()
        except Error as error:
            if time.monotonic() > until:
                raise CommandError(f"The database is out of reach: {error}") from error
            time.sleep(_ASK_AGAIN_AFTER_SECONDS)
            continue
        finally:
            connection.close()
        if default is None:
            raise CommandError("No model is the site's default yet. Run register_models first.")
        return default
