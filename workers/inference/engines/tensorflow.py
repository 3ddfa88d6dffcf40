"""TensorFlow, for machines with a GPU; it answers on a processor too."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.inference.architectures import ARCHITECTURES
from workers.inference.card import WEIGHTS_NAME, Card, ModelError
from workers.inference.engines.base import RawReadings
from workers.inference.network import build_classifier, build_reader, load_weights


class TensorFlowEngine:
    """The network as one traced graph; any number of pictures at once."""

    name = "tensorflow"

    def __init__(self, folder: Path, card: Card) -> None:
        if card.architecture not in ARCHITECTURES:
            raise ModelError(f"The card names an architecture that this version does not know: {card.architecture}.")
        architecture = ARCHITECTURES[card.architecture]
        classifier = build_classifier(architecture)
        load_weights(classifier, folder / WEIGHTS_NAME)
        # With it a GPU rounds to ten bits, and answers otherwise than a processor.
        tf.config.experimental.enable_tensor_float_32_execution(False)
        reader = build_reader(classifier, architecture.gate_layer, card.input_size, mirrored=card.mirrored)
        shape = tf.TensorSpec((None, card.input_size, card.input_size, 1), tf.float32)
        self._graph = tf.function(lambda pixels: reader(pixels, training=False), input_signature=[shape])

    def read(self, pictures: NDArray[np.uint8]) -> RawReadings:
        """See `Engine.read`."""
        answers = self._graph(tf.constant(pictures[..., None], tf.float32))
        return RawReadings(*(answers[name].numpy() for name in ("score", "attention", "features")))


def load(folder: Path, card: Card) -> TensorFlowEngine:
    """The engine with the model of `folder`. Raises ModelError."""
    return TensorFlowEngine(folder, card)
