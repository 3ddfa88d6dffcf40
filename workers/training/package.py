"""A model's folder: the weights, what both engines need, and the card that speaks of them."""

import hashlib
from pathlib import Path
from typing import Any

import keras

from workers.inference.card import CARD_NAME, OPENVINO_NAME, WEIGHTS_NAME, Card


def package(classifier: keras.Model, reader: keras.Model, out: Path, **facts: Any) -> Card:
    """Write the model to `out` and give back its card, made of `facts` and the files' hashes."""
    classifier.optimizer = None  # its state is as large as the weights, and of no use to a reader
    classifier.save_weights(out / WEIGHTS_NAME)
    reader.export(str(out / OPENVINO_NAME), format="openvino", verbose=False)
    names = (WEIGHTS_NAME, OPENVINO_NAME, str(Path(OPENVINO_NAME).with_suffix(".bin")))
    files = {name: _sha256(out / name) for name in names}
    card = Card(weights_sha256=files[WEIGHTS_NAME], files=files, **facts)
    (out / CARD_NAME).write_text(card.model_dump_json(indent=2) + "\n")
    return card


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
