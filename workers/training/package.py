"""A model's folder: the weights, what both engines need, the gate, and the card that speaks of them."""

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import openvino
from openvino import opset15 as opset

from workers.inference.card import CARD_NAME, GATE_NAME, OPENVINO_NAME, OPENVINO_WEIGHTS_NAME, WEIGHTS_NAME, Card
from workers.inference.network import save_weights

_FOLDING_ERROR = 1e-6
"""Relative. A normalisation that does nothing multiplies its kernel by 1 to within float32's own error."""


def export(classifier: keras.Model, reader: keras.Model, out: Path) -> None:
    """Write the weights for TensorFlow, and the reader for OpenVINO; the kernels of both as float16."""
    save_weights(classifier, out / WEIGHTS_NAME)
    with TemporaryDirectory() as scratch:
        full = Path(scratch) / OPENVINO_NAME
        reader.export(str(full), format="openvino", verbose=False)
        network = openvino.Core().read_model(full)
    _halve(network)
    openvino.save_model(network, out / OPENVINO_NAME, compress_to_fp16=False)


def _halve(network: openvino.Model) -> None:
    """Store as float16 the kernels that it holds without loss; the engine computes with float32 as before.

    OpenVINO's own compression rounds all, so also the first convolution, into which the scaling of the pixels was
    folded on the way: that alone would move scores by 0.002.
    """
    for constant in network.get_ops():
        if constant.get_type_name() != "Constant" or constant.get_element_type() != openvino.Type.f32:
            continue
        full = constant.data
        half = full.astype(np.float16)
        if full.ndim > 1 and np.allclose(half.astype(np.float32), full, rtol=_FOLDING_ERROR, atol=0):
            widened = opset.convert(opset.constant(half), "f32").output(0)
            for reader in constant.output(0).get_target_inputs():
                reader.replace_source_output(widened)


def write_card(out: Path, **facts: Any) -> Card:
    """Make the card of the files in `out` and of `facts`, write it beside them, and give it back."""
    names = (WEIGHTS_NAME, OPENVINO_NAME, OPENVINO_WEIGHTS_NAME, GATE_NAME)
    files = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in names}
    card = Card(weights_sha256=files[WEIGHTS_NAME], files=files, **facts)
    (out / CARD_NAME).write_text(card.model_dump_json(indent=2) + "\n")
    return card
