"""Making a trained network ready to be stored as float16, so that every engine computes with the very same numbers.

An engine folds BatchNormalization into the convolution before it; rounded before that, the kernels would no longer be
those of the other engine. So it is folded here, once, and rounded afterwards.
"""

import keras
import numpy as np

from workers.inference.network import BACKBONE, stored


def fold_and_round(classifier: keras.Model) -> None:
    """Fold each BatchNormalization into its convolution and round all kernels to float16, in place."""
    for layer in classifier.get_layer(BACKBONE).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            _fold(layer, layer.input._keras_history.operation)
    classifier.set_weights([stored(weight).astype(np.float32) for weight in classifier.get_weights()])


def _fold(norm: keras.layers.BatchNormalization, convolution: keras.layers.Layer) -> None:
    """Leave of the normalisation nothing but the addition of `beta`.

    It stands right after a convolution without bias, as in every shipped architecture; elsewhere it stays as it is.
    """
    if not isinstance(convolution, keras.layers.Layer) or getattr(convolution, "use_bias", True):
        return
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    *first, kernel = convolution.get_weights()  # of a separable convolution, the pointwise kernel is the last
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    convolution.set_weights([*first, kernel * (scale.reshape(kernel.shape[-2:]) if depthwise else scale)])
    ones = np.ones_like(gamma)
    norm.set_weights([ones, beta - mean * scale, 0 * ones, ones - np.float32(norm.epsilon)])
