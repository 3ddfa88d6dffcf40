"""The sanity check by randomised weights (Adebayo et al., 2018, arXiv:1810.03292).

A heatmap that stays as it is while the network forgets what it learned shows the picture, not the network. So the
layers are spoilt one after the other, from the head down, and the attention must become less and less like that of the
trained network. A layer is spoilt by shuffling the values of each of its weights: they keep their scale, so that the
network still answers, and lose all that was learned.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scipy.stats import spearmanr

from diagnoses.imaging.decode import decode
from workers.inference.architectures import ARCHITECTURES
from workers.inference.card import WEIGHTS_NAME, read_card
from workers.inference.network import BACKBONE, build_classifier, build_reader, load_weights
from workers.inference.preprocess import preprocess
from workers.training.attention_checks import RandomisationCheck, Step
from workers.training.evaluation import ReadRow
from workers.training.intervals import mean

Maps = NDArray[np.float32]
"""Attention, shape (n, rows, columns), 0 or more."""

_STEPS = 8
_BATCH = 16


def check_randomisation(folder: Path, rows: Sequence[ReadRow], seed: int = 0) -> RandomisationCheck:
    """Spoil the model of `folder` layer by layer, and compare its attention on pictures as `heated` gives them.

    Runs in Keras, since the other engine's networks cannot be changed. Raises ModelError.
    """
    card = read_card(folder)
    architecture = ARCHITECTURES[card.architecture]
    classifier = build_classifier(architecture)
    load_weights(classifier, folder / WEIGHTS_NAME)
    pictures = np.stack([preprocess(decode(r.case.path.read_bytes()).pixels, card.input_size) for r in rows])

    def attention() -> Maps:
        # Built anew each time: it holds a copy of the head's weights.
        reader = build_reader(classifier, architecture.gate_layer, card.input_size, mirrored=card.mirrored)
        batches = (pictures[start : start + _BATCH, ..., None] for start in range(0, len(pictures), _BATCH))
        # Called and not `predict`: that would trace a graph for a network which answers once.
        answers = [reader(batch.astype(np.float32), training=False)["attention"] for batch in batches]
        return np.concatenate([keras.ops.convert_to_numpy(answer) for answer in answers])

    patients = [row.case.patient for row in rows]
    trained = attention()
    spoilt = [(0, trained), *((count, attention()) for count in _spoil(classifier, seed))]
    return RandomisationCheck(spoilt[-1][0], [_step(count, trained, maps, patients) for count, maps in spoilt])


def _spoil(classifier: keras.Model, seed: int) -> Iterator[int]:
    """Shuffle the weights of ever more layers, from the head down; say after each stretch how many it has been."""
    backbone = classifier.get_layer(BACKBONE)
    found = [layer for layer in (*backbone.layers, *classifier.layers) if layer is not backbone and layer.get_weights()]
    ends = np.unique(np.linspace(1, len(found), _STEPS).astype(int))
    rng = np.random.default_rng(seed)
    for count, layer in enumerate(track(found[::-1], description="Spoiling layer by layer"), start=1):
        layer.set_weights([rng.permuted(weight) for weight in layer.get_weights()])
        if count in ends:
            yield count


def _step(count: int, trained: Maps, maps: Maps, patients: Sequence[str]) -> Step:
    pairs = list(zip(trained, maps, strict=True))
    return Step(
        spoilt=count,
        spearman=mean([rank_correlation(a, b) for a, b in pairs], patients),
        ssim=mean([similarity(a, b) for a, b in pairs], patients),
    )


def rank_correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Spearman's, -1 to 1, of two maps' cells. A map that is the same everywhere is like no other: 0."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(spearmanr(first.ravel(), second.ravel()).statistic)


def similarity(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """SSIM (Wang et al., 2004) of two maps, each scaled to 0..1, over the whole map as one window: it has few cells."""
    a, b = _scaled(first), _scaled(second)
    small, smaller = 0.01**2, 0.03**2
    covariance = float(np.mean((a - a.mean()) * (b - b.mean())))
    brightness = (2 * a.mean() * b.mean() + small) / (a.mean() ** 2 + b.mean() ** 2 + small)
    return float(brightness * (2 * covariance + smaller) / (a.var() + b.var() + smaller))


def _scaled(heat: NDArray[np.float32]) -> NDArray[np.float64]:
    peak = float(heat.max())
    return heat.astype(np.float64) / peak if peak > 0 else heat.astype(np.float64)
