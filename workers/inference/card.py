"""The card that travels with a model's weights, and the check that the weights are those it speaks of."""

import hashlib
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

CARD_NAME = "card.json"
WEIGHTS_NAME = "classifier.weights.npz"
OPENVINO_NAME = "reader.xml"
OPENVINO_WEIGHTS_NAME = "reader.bin"
GATE_NAME = "gate.npz"
_OPENED = (WEIGHTS_NAME, OPENVINO_NAME, OPENVINO_WEIGHTS_NAME, GATE_NAME)

_SHA256 = r"^[0-9a-f]{64}$"


class ModelError(Exception):
    """A shipped model cannot be used; the text says what is wrong with it."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Band(_Part):
    """Calibrated probabilities around the threshold between which the product says that it cannot tell."""

    low: float = Field(ge=0, lt=1)
    high: float = Field(gt=0, le=1)


class GateLimits(_Part):
    """Where the gate refuses."""

    accepted_probability: float = Field(ge=0, le=1, description="A picture less likely to be acceptable is refused.")
    distance: float = Field(gt=0, description="A picture further from all that was learned from is refused.")


class HeatmapLimits(_Part):
    """What keeps a heatmap honest."""

    floor: float = Field(gt=0, description="Log-odds per cell; a weaker peak is not stretched to full heat.")
    border_share: float = Field(gt=0, le=1, description="More of the heat at the border than this is warned of.")


class Card(_Part):
    """What is known of a model. All limits were chosen on validation patients, and travel with the weights."""

    name: str
    version: str
    architecture: str
    input_size: int = Field(gt=0, description="Edge of the square input in pixels; grey levels 0 to 255.")
    classes: list[str]
    preprocessing_version: str
    threshold: float = Field(gt=0, lt=1, description="Calibrated probability from which the label is pneumonia.")
    temperature: float = Field(gt=0, description="Divides the score before the sigmoid.")
    band: Band
    unsteady: Band = Field(description="Probabilities between which the answer is checked on variants of the picture.")
    mirrored: bool = Field(description="Whether the network looks at the mirror image, too.")
    gate: GateLimits
    heatmap: HeatmapLimits
    training: dict[str, Any] = Field(description="Data, split, recipe and seed.")
    figures: dict[str, Any] = Field(description="What was measured on which patients, with 95 % intervals.")
    intended_use: str
    limits: list[str]
    weights_sha256: str = Field(pattern=_SHA256)
    files: dict[str, str] = Field(description="SHA-256 of each file beside the card.")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        """Each band must hold the threshold, and answers that are checked must include those that may be unsure."""
        if not self.unsteady.low <= self.band.low < self.threshold < self.band.high <= self.unsteady.high:
            raise ValueError("the bands must lie around the threshold, and `unsteady` around `band`")
        return self


def read_card(folder: Path) -> Card:
    """The card in a model's folder. Raises ModelError where there is none, or it is not valid."""
    path = folder / CARD_NAME
    try:
        return Card.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"There is no readable model card at {path}.") from error
    except ValidationError as error:
        raise ModelError(f"The model card {path} is not valid: {error}") from error


def check_files(folder: Path, card: Card) -> None:
    """Compare every file with its hash on the card, before any is opened.

    Raises ModelError for one that is missing or differs, and where the card has no hash of one that would be opened.
    """
    unknown = [name for name in _OPENED if name not in card.files]
    if unknown or card.files[WEIGHTS_NAME] != card.weights_sha256:
        raise ModelError(f"The model card in {folder} does not say what {', '.join(unknown) or WEIGHTS_NAME} must be.")
    for name, expected in card.files.items():
        path = folder / name
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ModelError(f"The model's file {path} cannot be read.") from error
        if found != expected:
            raise ModelError(f"The model's file {path} is not the one its card speaks of (SHA-256 {found[:12]}…).")
