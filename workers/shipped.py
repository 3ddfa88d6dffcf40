"""The models that an installation ships: a folder for each version, known by the card in it."""

from pathlib import Path

from workers.inference.card import CARD_NAME


def shipped_folders(models_dir: Path) -> list[Path]:
    """The folders that hold a card, by name. The name means nothing: the card says what the model is."""
    return sorted(path.parent for path in models_dir.glob(f"*/{CARD_NAME}"))
