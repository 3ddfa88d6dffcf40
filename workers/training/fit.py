"""Learning: balanced batches of augmented pictures, a checkpoint after each epoch, resumed to the step."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from workers.inference.architectures import Architecture
from workers.inference.network import DROPOUT, build_classifier
from workers.training.augmentation import augment
from workers.training.dataset import Case, DatasetError, Target, load

_TARGET_SHARES = {Target.NORMAL: 0.5, Target.BACTERIAL: 0.25, Target.VIRAL: 0.25}
CHECKPOINT_NAME = "checkpoint.keras"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out of a training run, besides the pictures."""

    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    label_smoothing: float = 0.05
    seed: int = 1


class BalancedBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch's batches, with fixed shares of the classes: functions of seed, epoch and place alone."""

    def __init__(self, pictures: NDArray[np.uint8], targets: NDArray[np.int64], recipe: Recipe, epoch: int):
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self._pictures = pictures
        self._members = {target: np.flatnonzero(targets == target) for target in Target}
        self._recipe = recipe
        self._epoch = epoch

    def __len__(self) -> int:
        return steps_per_epoch(len(self._pictures), self._recipe.batch_size)

    def __getitem__(self, place: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rng = np.random.default_rng((self._recipe.seed, self._epoch, place))
        targets = rng.choice(len(Target), self._recipe.batch_size, p=list(_TARGET_SHARES.values()))
        chosen = [int(rng.choice(self._members[Target(target)])) for target in targets]
        pictures = np.stack([augment(self._pictures[index], rng) for index in chosen])
        return pictures[..., None].astype(np.float32), np.eye(len(Target), dtype=np.float32)[targets]


class _Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the network and its optimizer after each epoch, whole or not at all."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        unfinished = self._path.with_name("unfinished.keras")
        self.model.save(unfinished)
        unfinished.replace(self._path)


def steps_per_epoch(pictures: int, batch_size: int) -> int:
    """How many batches show about as many pictures as there are."""
    return max(1, math.ceil(pictures / batch_size))


def fit(
    cases: Sequence[Case],
    architecture: Architecture,
    recipe: Recipe,
    out: Path,
    backbone_weights: Path | None = None,
    *,
    resume: bool = False,
) -> keras.Model:
    """Train on `cases` and give back the classifier. With `resume`, go on from the last whole epoch in `out`.

    A pneumonia whose kind is not known is left out: the network learns the two kinds apart. Raises DatasetError
    where one of them is missing, or a picture cannot be read.
    """
    keras.utils.set_random_seed(recipe.seed)
    known = [case for case in cases if case.subtype is not None]
    _check_kinds(known)
    pictures = load(known, architecture.input_size)
    targets = np.array([case.subtype for case in known], np.int64)
    checkpoint = out / CHECKPOINT_NAME
    steps = steps_per_epoch(len(known), recipe.batch_size)
    if resume and checkpoint.exists():
        classifier = keras.models.load_model(checkpoint)
    else:
        classifier = build_classifier(architecture, backbone_weights)
        _compile(classifier, recipe, steps)
    for epoch in range(int(classifier.optimizer.iterations) // steps, recipe.epochs):
        # A checkpoint does not keep the state of the dice: so each epoch throws its own.
        classifier.get_layer(DROPOUT).seed_generator.state.assign([recipe.seed, epoch * steps])
        classifier.fit(
            BalancedBatches(pictures, targets, recipe, epoch),
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,  # the batches are random already, and in an order that a resumed run repeats
            callbacks=[_Checkpoint(checkpoint)],
            verbose=_verbosity(),
        )
    return classifier


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


def _compile(classifier: keras.Model, recipe: Recipe, steps: int) -> None:
    total = steps * recipe.epochs
    warmup = min(steps, total // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 100, total - warmup, warmup_target=recipe.learning_rate, warmup_steps=warmup
    )
    classifier.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
    )
