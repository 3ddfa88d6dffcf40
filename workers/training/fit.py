"""Learning: a checkpoint after each epoch, resumed to the step; the moving average of the weights is what comes out."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from workers.inference.architectures import Architecture
from workers.inference.network import BACKBONE, DROPOUT, build_classifier
from workers.training.batches import BalancedBatches, Teacher, steps_per_epoch
from workers.training.dataset import Case, DatasetError, Target, load
from workers.training.recipes import Recipe

CHECKPOINT_NAME = "checkpoint.keras"
LOADED_SIZE = 224
"""Pixels. Training pictures are held at this size; crops are cut from it."""

_STATISTICS_STEPS = 64


@keras.saving.register_keras_serializable("cxr")
class AveragingAdamW(keras.optimizers.AdamW):  # type: ignore[misc]
    """AdamW that keeps a moving average of the weights, and puts it in their place only when told to.

    Keras does so at the end of each `fit`, which here is each epoch: learning would start anew from the average.
    """

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Called by Keras after each epoch: too early."""

    def take_average(self, variables: list[Any]) -> None:
        """Put the average in the place of the weights."""
        super().finalize_variable_values(variables)


class _Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the network and its optimizer after each epoch, whole or not at all."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        unfinished = self._path.with_name("unfinished.keras")
        self.model.save(unfinished)
        unfinished.replace(self._path)


def fit(
    cases: Sequence[Case],
    architecture: Architecture,
    recipe: Recipe,
    out: Path,
    *,
    backbone_weights: Path | None = None,
    teacher: Teacher | None = None,
    resume: bool = False,
) -> keras.Model:
    """Train on `cases` and give back the classifier. With `resume`, go on from the last whole epoch in `out`.

    A pneumonia whose kind is not known is left out: the network learns the two kinds apart. Raises DatasetError
    where one of them is missing, or a picture cannot be read.
    """
    keras.utils.set_random_seed(recipe.seed)
    known = [case for case in cases if case.subtype is not None]
    _check_kinds(known)
    pictures = load(known, LOADED_SIZE)
    targets = np.array([case.subtype for case in known], np.int64)
    checkpoint = out / CHECKPOINT_NAME
    steps = steps_per_epoch(len(known), recipe.batch_size)
    if resume and checkpoint.exists():
        classifier = keras.models.load_model(checkpoint, safe_mode=True)
    else:
        classifier = _new_classifier(architecture, recipe, backbone_weights)
        _compile(classifier, recipe, steps)
    for epoch in range(int(classifier.optimizer.iterations) // steps, recipe.epochs):
        # A checkpoint does not keep the state of the dice: so each epoch throws its own.
        classifier.get_layer(DROPOUT).seed_generator.state.assign([recipe.seed, epoch * steps])
        classifier.fit(
            BalancedBatches(pictures, targets, recipe, epoch, teacher),
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,  # the batches are random already, and in an order that a resumed run repeats
            callbacks=[_Checkpoint(checkpoint)],
            verbose=_verbosity(),
        )
    return _finished(classifier, architecture, recipe, pictures, targets)


def _check_kinds(cases: Sequence[Case]) -> None:
    found = {case.subtype for case in cases}
    missing = [target.name.lower() for target in Target if target not in found]
    if missing:
        raise DatasetError(
            f"Of {' and '.join(missing)} there are no pictures. Names in PNEUMONIA/ must tell the kind: "
            "personN_bacteria_M or personN_virus_M."
        )


def _verbosity() -> int:
    """A progress bar for a terminal, a line per epoch for a log."""
    return 1 if sys.stdout.isatty() else 2


def _new_classifier(architecture: Architecture, recipe: Recipe, backbone_weights: Path | None) -> keras.Model:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.dtype_policy)
    try:
        classifier = build_classifier(architecture, backbone_weights)
    finally:
        keras.config.set_dtype_policy(before)
    layers = classifier.get_layer(BACKBONE).layers
    names = [layer.name for layer in layers]
    for layer in layers[: names.index(recipe.frozen_until) + 1] if recipe.frozen_until else []:
        layer.trainable = False
    return classifier


def _compile(classifier: keras.Model, recipe: Recipe, steps: int) -> None:
    total = steps * recipe.epochs
    warmup = min(steps, total // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 100, total - warmup, warmup_target=recipe.learning_rate, warmup_steps=warmup
    )
    classifier.compile(
        optimizer=AveragingAdamW(
            schedule, weight_decay=recipe.weight_decay, use_ema=True, ema_momentum=recipe.ema_momentum
        ),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
    )


def _finished(
    classifier: keras.Model,
    architecture: Architecture,
    recipe: Recipe,
    pictures: NDArray[np.uint8],
    targets: NDArray[np.int64],
) -> keras.Model:
    """The averaged weights in a network of plain float32, its BatchNormalization measured anew for them."""
    classifier.optimizer.take_average(classifier.trainable_variables)
    finished = build_classifier(architecture)
    finished.set_weights(classifier.get_weights())
    if any(_learns_statistics(layer) for layer in classifier.get_layer(BACKBONE).layers):
        _measure_statistics(finished, BalancedBatches(pictures, targets, recipe, recipe.epochs - 1))
    return finished


def _learns_statistics(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization) and bool(layer.trainable)


def _measure_statistics(classifier: keras.Model, batches: BalancedBatches) -> None:
    """Re-estimate BatchNormalization (Izmailov et al., 2018, arXiv:1803.05407): the mean over some batches."""
    norms = [
        layer for layer in classifier.get_layer(BACKBONE).layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    for step in range(min(_STATISTICS_STEPS, len(batches))):
        for norm in norms:
            norm.momentum = step / (step + 1)  # so that the moving mean is the plain mean so far
        classifier(batches[step][0], training=True)
