"""Finding a shipped model by what a person types."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError

from workers.inference.card import CARD_NAME, read_card
from workers.inference.reader import Reader
from workers.shipped import shipped_folders


def load_reader(wanted: str) -> tuple[Path, Reader]:
    """The model's folder, and a reader of it as this site's workers build it. Raises ModelError, CommandError."""
    folder = model_folder(wanted or settings.CXR_MODEL)
    return folder, Reader(folder, settings.CXR_ENGINE, refuse_outside_age=settings.CXR_OUTSIDE_AGE == "refuse")


def model_folder(wanted: str) -> Path:
    """The folder of `name`, `name@version`, or a path to a folder with a card. Raises ModelError, CommandError."""
    if (Path(wanted) / CARD_NAME).is_file():
        return Path(wanted)
    name, _, version = wanted.partition("@")
    cards = [(folder, read_card(folder)) for folder in shipped_folders(settings.CXR_MODELS_DIR)]
    found = {card.version: folder for folder, card in cards if card.name == name and version in {"", card.version}}
    if len(found) > 1:
        raise CommandError(f"There are several versions of {name}: say which, as {_choices(name, found)}.")
    if not found:
        shipped = ", ".join(f"{card.name}@{card.version}" for _, card in cards) or "none"
        raise CommandError(f"There is no model {wanted!r} in {settings.CXR_MODELS_DIR}; there are: {shipped}.")
    return next(iter(found.values()))


def _choices(name: str, versions: dict[str, Path]) -> str:
    return " or ".join(f"{name}@{version}" for version in sorted(versions))
