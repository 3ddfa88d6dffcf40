"""MobileNetV2 (Sandler et al., 2018, arXiv:1801.04381)."""

from pathlib import Path

import keras

from workers.inference.architectures.base import Architecture


def _build_backbone(weights: Path | None) -> keras.Model:
    return keras.applications.MobileNetV2(
        include_top=False,
        input_shape=(None, None, 3),
        weights=None if weights is None else str(weights),
    )


MOBILENET_V2 = Architecture(name="mobilenet_v2", build_backbone=_build_backbone, gate_layer="block_12_add")
