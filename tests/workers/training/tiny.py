"""A network and a data set so small that a whole training run can be tested."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from tests import pictures
from workers.inference.architectures import Architecture
from workers.training.dataset import Target
from workers.training.recipes import Recipe, Stage

SIZE = 64
RECIPE = Recipe(
    stages=(Stage(1, SIZE), Stage(1, SIZE)),
    input_size=SIZE,
    batch_size=16,
    learning_rate=0.02,
    ema_momentum=0.9,
    seed=3,
    split_seed=3,
)
ONCE = replace(RECIPE, stages=(Stage(1, SIZE),))


def tiny_backbone(weights: Path | None) -> keras.Model:
    pixels = keras.Input((None, None, 3))
    features = keras.layers.Conv2D(8, 5, strides=4, padding="same", use_bias=False, name="stem")(pixels)
    features = keras.layers.BatchNormalization(name="norm")(features)
    backbone = keras.Model(pixels, keras.layers.ReLU(name="last")(features))
    if weights is not None:
        backbone.load_weights(weights)
    return backbone


TINY = Architecture(name="tiny", build_backbone=tiny_backbone, gate_layer="last")


def _chest(rng: np.random.Generator, target: Target) -> NDArray[np.uint8]:
    """Dark where it is normal; pneumonia is bright, the bacterial one in broad bands, the viral one in fine ones."""
    rows = np.arange(70)[:, None]
    bands = {Target.NORMAL: 0 * rows, Target.BACTERIAL: rows // 18 % 2, Target.VIRAL: rows // 4 % 2}[target]
    base = 60 if target is Target.NORMAL else 100
    return np.clip(base + bands * 90 + rng.normal(0, 30, (70, 66)), 0, 255).astype(np.uint8)


def make_data(folder: Path) -> Path:
    """A folder as that of the public set, with 180 patients, one in eight of them under the wrong name."""
    rng = np.random.default_rng(6)
    names = {
        Target.NORMAL: "NORMAL/IM-{:04}-0001.png",
        Target.BACTERIAL: "PNEUMONIA/person{}_bacteria_1.png",
        Target.VIRAL: "PNEUMONIA/person{}_virus_1.png",
    }
    for target, name in names.items():
        for number in range(80 if target is Target.NORMAL else 50):
            path = folder / name.format(number)
            path.parent.mkdir(exist_ok=True)
            shown = Target((target + 1) % 3) if rng.random() < 1 / 8 else target
            path.write_bytes(pictures.png(_chest(rng, shown)))
    return folder
