"""`manage.py register_models`: tell the database which models this installation ships."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from diagnoses.services.registry import RegistryError, register_model_version
from workers.inference.card import CARD_NAME, ModelError, read_card


class Command(BaseCommand):
    """Reads the cards alone: no weights, no engine."""

    help = "Register the models in CXR_MODELS_DIR by their cards."

    def handle(self, *args: Any, **options: Any) -> None:
        folders = sorted(path.parent for path in settings.CXR_MODELS_DIR.glob(f"*/{CARD_NAME}"))
        if settings.CXR_MODELS_DIR / settings.CXR_MODEL not in folders:
            raise CommandError(
                f"There is no model {settings.CXR_MODEL!r} in {settings.CXR_MODELS_DIR}. Check CXR_MODEL."
            )
        for folder in folders:
            try:
                version = register_model_version(card=read_card(folder).model_dump(mode="json"))
            except (ModelError, RegistryError) as error:
                raise CommandError(str(error)) from error
            self.stdout.write(f"{version} is registered.")
