"""`manage.py register_models`: tell the database which models this installation ships."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from diagnoses.services.registry import RegistryError, sync_shipped
from workers.inference.card import ModelError, read_card
from workers.shipped import shipped_folders


class Command(BaseCommand):
    """Reads the cards alone: no weights, no engine."""

    help = "Register the models in CXR_MODELS_DIR by their cards. A new one replaces none that reads."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            cards = [read_card(folder) for folder in shipped_folders(settings.CXR_MODELS_DIR)]
            if settings.CXR_MODEL not in [card.name for card in cards]:
                raise CommandError(
                    f"There is no model {settings.CXR_MODEL!r} in {settings.CXR_MODELS_DIR}. Check CXR_MODEL."
                )
            notes = sync_shipped(cards=[card.model_dump(mode="json") for card in cards])
        except (ModelError, RegistryError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write("\n".join(notes))
