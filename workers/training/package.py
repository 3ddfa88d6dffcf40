"""A model's folder: the weights, what both engines need, the gate, and the card that speaks of them."""

import hashlib
from pathlib import Path
from typing import Any

import keras

from workers.inference.card import CARD_NAME, GATE_NAME, OPENVINO_NAME, WEIGHTS_NAME, Card
from workers.inference.network import save_weights

_OPENVINO_WEIGHTS_NAME = str(Path(OPENVINO_NAME).with_suffix(".bin"))


def export(classifier: keras.Model, reader: keras.Model, out: Path) -> None:
    """Write the weights for TensorFlow, as float16, and the reader for OpenVINO.

    The latter in full: the scaling of the pixels is folded into its first convolution, and rounding what comes out
    of that would move scores by 0.002.
    """
    save_weights(classifier, out / WEIGHTS_NAME)
    reader.export(str(out / OPENVINO_NAME), format="openvino", verbose=False)


def write_card(out: Path, **facts: Any) -> Card:
    """Make the card of the files in `out` and of `facts`, write it beside them, and give it back."""
    names = (WEIGHTS_NAME, OPENVINO_NAME, _OPENVINO_WEIGHTS_NAME, GATE_NAME)
    files = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in names}
    card = Card(weights_sha256=files[WEIGHTS_NAME], files=files, **facts)
    (out / CARD_NAME).write_text(card.model_dump_json(indent=2) + "\n")
    return card
