"""The network that learns, and the network that reads: the same weights, the second with its Grad-CAM inside.

Classes: 0 normal, 1 bacterial, 2 viral pneumonia. The two kinds of pneumonia are folded into one score, the
log-odds of pneumonia: `score = logsumexp(z_bacterial, z_viral) - z_normal`.
"""

from pathlib import Path
from typing import Any

import keras
from keras import ops

from workers.inference.architectures import Architecture

CLASSES = ("NORMAL", "BACTERIAL_PNEUMONIA", "VIRAL_PNEUMONIA")
DROPOUT = "dropout"
"""The name of the only layer that behaves at random while learning."""

_BACKBONE = "backbone"
_HEAD = "class_logits"


def build_classifier(
    architecture: Architecture, backbone_weights: Path | None = None, dropout: float = 0.3
) -> keras.Model:
    """The network to train: grey levels (n, size, size, 1) in 0..255 to class logits (n, 3).

    BatchNormalization is frozen (inference mode): batches are small, and the starting weights hold folded
    statistics.
    """
    size = architecture.input_size
    pixels = keras.Input((size, size, 1), name="pixels")
    backbone = architecture.build_backbone(backbone_weights)
    backbone.name = _BACKBONE
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    pooled = keras.layers.GlobalAveragePooling2D()(_features(pixels, backbone))
    pooled = keras.layers.Dropout(dropout, name=DROPOUT)(pooled)
    logits = keras.layers.Dense(len(CLASSES), name=_HEAD, dtype="float32")(pooled)
    return keras.Model(pixels, logits)


def build_reader(classifier: keras.Model) -> keras.Model:
    """The network to serve: the same pixels to `score` (n,) and `attention` (n, rows, columns).

    `attention` is Grad-CAM (Selvaraju et al., 2017, arXiv:1610.02391) of the score, after its ReLU and before any
    scaling, in log-odds per cell. After global average pooling and a dense layer the gradient of the score with
    respect to the feature map is the dense layer's weights, mixed by the classes' share in the score: so the map
    needs no second pass, only one 1x1 convolution.
    """
    # The layers are called anew, so that the exported graph holds one copy of the backbone and no Dropout.
    pixels = classifier.inputs[0]
    features = _features(pixels, classifier.get_layer(_BACKBONE))
    reading_head = _ReadingHead(name="reading")
    outputs = reading_head(features)
    reading_head.set_weights(classifier.get_layer(_HEAD).get_weights())
    return keras.Model(pixels, outputs)


def score_of(logits: Any) -> Any:
    """Log-odds of pneumonia, shape (n,), of class logits, shape (n, 3)."""
    return ops.logsumexp(logits[:, 1:], axis=-1) - logits[:, 0]


def _features(pixels: Any, backbone: keras.Model) -> Any:
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    return backbone(keras.layers.Concatenate()([scaled, scaled, scaled]))


class _ReadingHead(keras.layers.Layer):  # type: ignore[misc]
    """The dense layer, applied to each cell of the feature map instead of to its mean (pooling is linear)."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], len(CLASSES)), name="kernel")
        self.bias = self.add_weight(shape=(len(CLASSES),), name="bias")

    def call(self, features: Any) -> dict[str, Any]:
        cell_logits = ops.matmul(features, self.kernel)
        logits = ops.mean(cell_logits, axis=(1, 2)) + self.bias
        cells = features.shape[1] * features.shape[2]
        evidence = ops.sum(cell_logits * _score_gradient(logits), axis=-1) / cells
        return {"score": score_of(logits), "attention": ops.relu(evidence)}


def _score_gradient(logits: Any) -> Any:
    """The derivative of the score by each class logit, shape (n, 1, 1, 3)."""
    pneumonia = ops.softmax(logits[:, 1:], axis=-1)
    normal = -ops.ones_like(logits[:, :1])
    return ops.concatenate([normal, pneumonia], axis=-1)[:, None, None, :]
