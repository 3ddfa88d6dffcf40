"""Xception (Chollet, 2017, arXiv:1610.02357)."""

from pathlib import Path

import keras

from workers.inference.architectures.base import Architecture


def _build_backbone(weights: Path | None) -> keras.Model:
    return keras.applications.Xception(
        include_top=False,
        input_shape=(None, None, 3),
        weights=None if weights is None else str(weights),
    )


XCEPTION = Architecture(name="xception", build_backbone=_build_backbone, gate_layer="block12_sepconv3_bn")
