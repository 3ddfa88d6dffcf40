"""The network that learns, and the network that reads: the same weights, the second with its Grad-CAM inside.

Classes: 0 normal, 1 bacterial, 2 viral pneumonia. The two kinds of pneumonia are folded into one score, the
log-odds of pneumonia: `score = logsumexp(z_bacterial, z_viral) - z_normal`.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from workers.inference.architectures import Architecture
from workers.inference.arrays import read_arrays
from workers.inference.card import ModelError

CLASSES = ("NORMAL", "BACTERIAL_PNEUMONIA", "VIRAL_PNEUMONIA")
DROPOUT = "dropout"
"""The name of the only layer that behaves at random while learning."""
BACKBONE = "backbone"
"""The name of the convolutional part within the network."""

_HEAD = "class_logits"
_GRID = 4


def build_classifier(
    architecture: Architecture, backbone_weights: Path | None = None, dropout: float = 0.3
) -> keras.Model:
    """The network to train: grey levels (n, size, size, 1) in 0..255, of any size, to class logits (n, 3).

    With starting weights BatchNormalization is frozen (inference mode): they hold folded statistics, and batches
    are small. Without, it learns.
    """
    pixels = keras.Input((None, None, 1), name="pixels")
    backbone = architecture.build_backbone(backbone_weights)
    backbone.name = BACKBONE
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = backbone_weights is None
    pooled = keras.layers.GlobalAveragePooling2D()(_features(pixels, backbone))
    pooled = keras.layers.Dropout(dropout, name=DROPOUT)(pooled)
    logits = keras.layers.Dense(len(CLASSES), name=_HEAD, dtype="float32")(pooled)
    return keras.Model(pixels, logits)


def build_reader(classifier: keras.Model, gate_layer: str, size: int, *, mirrored: bool) -> keras.Model:
    """The network to serve: the same pixels to `score` (n,), `attention` (n, rows, columns), `features` (n, m).

    `attention` is Grad-CAM (Selvaraju et al., 2017, arXiv:1610.02391) of the score, after its ReLU and before any
    scaling, in log-odds per cell. After global average pooling and a dense layer the gradient of the score with
    respect to the feature map is the dense layer's weights, mixed by the classes' share in the score: so the map
    needs no second pass, only one 1x1 convolution. `features` are what the gate judges by. A `mirrored` reader looks
    at each picture and at its mirror image, and gives the mean of both.
    """
    # The layers are called anew, so that the exported graph holds one copy of the backbone and no Dropout.
    pixels = keras.Input((size, size, 1), name="pixels")
    backbone = classifier.get_layer(BACKBONE)
    backbone.trainable = False  # so that BatchNormalization keeps to its statistics, however it is called
    both = keras.Model(backbone.inputs, [backbone.output, backbone.get_layer(gate_layer).output])
    seen = ops.concatenate([pixels, ops.flip(pixels, axis=2)], axis=0) if mirrored else pixels
    last, middle = _features(seen, both)
    head = _ReadingHead(name="reading")
    score, evidence = head(last)
    head.set_weights(classifier.get_layer(_HEAD).get_weights())
    features = ops.concatenate([_grid(middle), ops.mean(last, axis=(1, 2))], axis=-1)
    if mirrored:
        score = sum(ops.split(score, 2, axis=0)) / 2
        straight, flipped = ops.split(evidence, 2, axis=0)
        evidence = (straight + ops.flip(flipped, axis=2)) / 2
        features = ops.split(features, 2, axis=0)[0]
    return keras.Model(pixels, {"score": score, "attention": ops.relu(evidence), "features": features})


def save_weights(classifier: keras.Model, path: Path) -> None:
    """Store the weights in their order, as `stored` would have them."""
    arrays = [stored(weight) for weight in classifier.get_weights()]
    np.savez(path, *arrays)  # not compressed: there is nothing to gain from noise


def stored(weight: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
    """A kernel as float16; a vector (bias, normalisation) in full, since all together they weigh next to nothing."""
    return weight.astype(np.float16) if weight.ndim > 1 else weight


def load_weights(classifier: keras.Model, path: Path) -> None:
    """Take over stored weights. Raises ModelError for a file that does not hold those of this network."""
    arrays = read_arrays(path)
    try:
        classifier.set_weights([arrays[f"arr_{place}"].astype(np.float32) for place in range(len(arrays))])
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path} cannot be loaded: these are not the weights of this network") from error


def score_of(logits: Any) -> Any:
    """Log-odds of pneumonia, shape (n,), of class logits, shape (n, 3)."""
    return ops.logsumexp(logits[:, 1:], axis=-1) - logits[:, 0]


def shift_scores(classifier: keras.Model, by: float) -> None:
    """Add `by` to all scores, in place. Attention and features stay as they are."""
    head = classifier.get_layer(_HEAD)
    kernel, bias = head.get_weights()
    head.set_weights([kernel, bias - np.array([by, 0, 0], np.float32)])


def _features(pixels: Any, backbone: keras.Model) -> Any:
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    return backbone(keras.layers.Concatenate()([scaled, scaled, scaled]))


def _grid(features: Any) -> Any:
    """The mean over each of four by four overlapping windows, shape (n, 16 * channels): what is where, roughly."""
    edge = features.shape[1]
    stride = edge // _GRID
    pooled = keras.layers.AveragePooling2D(edge - (_GRID - 1) * stride, stride)(features)
    return keras.layers.Flatten()(pooled)


class _ReadingHead(keras.layers.Layer):  # type: ignore[misc]
    """The dense layer, applied to each cell of the feature map instead of to its mean (pooling is linear)."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], len(CLASSES)), name="kernel")
        self.bias = self.add_weight(shape=(len(CLASSES),), name="bias")

    def call(self, features: Any) -> tuple[Any, Any]:
        """The score, shape (n,), and each cell's share in it, shape (n, rows, columns), both in log-odds."""
        cell_logits = ops.matmul(features, self.kernel)
        logits = ops.mean(cell_logits, axis=(1, 2)) + self.bias
        cells = features.shape[1] * features.shape[2]
        evidence = ops.sum(cell_logits * _score_gradient(logits), axis=-1) / cells
        return score_of(logits), evidence


def _score_gradient(logits: Any) -> Any:
    """The derivative of the score by each class logit, shape (n, 1, 1, 3)."""
    pneumonia = ops.softmax(logits[:, 1:], axis=-1)
    normal = -ops.ones_like(logits[:, :1])
    return ops.concatenate([normal, pneumonia], axis=-1)[:, None, None, :]
