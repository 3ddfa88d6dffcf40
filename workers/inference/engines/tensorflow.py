"""TensorFlow, for machines with a GPU; it answers on a processor too."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.inference.architectures import ARCHITECTURES
from workers.inference.card import WEIGHTS_NAME, Card, ModelError
from workers.inference.engines.base import RawReadings
from workers.inference.network import build_classifier, build_reader, load_weights

_GPU_SIZES = (1, 2, 4, 8, 16)
"""Of batches on a GPU: one of a size not seen before has to wait until cuDNN has chosen its algorithms."""


class TensorFlowEngine:
    """The network as one traced graph; any number of pictures at once, or padded batches of given sizes alone."""

    name = "tensorflow"

    def __init__(self, folder: Path, card: Card, sizes: Sequence[int] = ()) -> None:
        """With `sizes`, in rising order, no batch has another, and each has been read once."""
        if card.architecture not in ARCHITECTURES:
            raise ModelError(f"The card names an architecture that this version does not know: {card.architecture}.")
        architecture = ARCHITECTURES[card.architecture]
        classifier = build_classifier(architecture)
        load_weights(classifier, folder / WEIGHTS_NAME)
        # With it a GPU rounds to ten bits, and answers otherwise than a processor.
        tf.config.experimental.enable_tensor_float_32_execution(False)
        reader = build_reader(classifier, architecture.gate_layer, card.input_size, mirrored=card.mirrored)
        shape = (card.input_size, card.input_size)
        # The cast is within the graph, since a GPU is then sent a byte for each pixel instead of four.
        self._graph = tf.function(
            lambda pictures: reader(tf.cast(pictures, tf.float32)[..., None], training=False),
            input_signature=[tf.TensorSpec((None, *shape), tf.uint8)],
        )
        self._sizes = sizes
        for size in sizes:
            self.read(np.zeros((size, *shape), np.uint8))

    def read(self, pictures: NDArray[np.uint8]) -> RawReadings:
        """See `Engine.read`."""
        if not self._sizes:
            return RawReadings(*self._answers(pictures))
        most = self._sizes[-1]
        pieces = [pictures[start : start + most] for start in range(0, len(pictures), most)]
        answers = [self._answers(piece) for piece in pieces]
        return RawReadings(*(np.concatenate(parts) for parts in zip(*answers, strict=True)))

    def _answers(self, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        count = len(pictures)
        padding = next((size - count for size in self._sizes if size >= count), 0)
        answers = self._graph(tf.constant(np.pad(pictures, ((0, padding), (0, 0), (0, 0)))))
        return [answers[name].numpy()[:count] for name in ("score", "attention", "features")]


def load(folder: Path, card: Card) -> TensorFlowEngine:
    """The engine with the model of `folder`. Raises ModelError."""
    # A processor would only waste its time on padding.
    return TensorFlowEngine(folder, card, _GPU_SIZES if tf.config.list_physical_devices("GPU") else ())
