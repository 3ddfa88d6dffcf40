"""What a network is shown: balanced batches of augmented pictures, the same ones again for the same seed."""

import math
from collections.abc import Callable
from threading import Lock

import keras
import numpy as np
from numpy.typing import NDArray

from workers.inference.engines import Engine
from workers.inference.preprocess import preprocess
from workers.training.augmentation import augment
from workers.training.dataset import Target
from workers.training.metrics import to_probabilities
from workers.training.recipes import Recipe

Teacher = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
"""From pictures (n, size, size), grey levels 0 to 255, to probabilities of pneumonia (n,)."""

_TARGET_SHARES = {Target.NORMAL: 0.5, Target.BACTERIAL: 0.25, Target.VIRAL: 0.25}


class BalancedBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch's batches, with fixed shares of the classes: functions of seed, epoch and place alone."""

    def __init__(
        self,
        pictures: NDArray[np.uint8],
        targets: NDArray[np.int64],
        recipe: Recipe,
        epoch: int,
        teacher: Teacher | None = None,
    ):
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self._pictures = pictures
        self._members = {target: np.flatnonzero(targets == target) for target in Target}
        self._recipe = recipe
        self._epoch = epoch
        self._size = recipe.size_in(epoch)
        self._teacher = teacher

    def __len__(self) -> int:
        return steps_per_epoch(len(self._pictures), self._recipe.batch_size)

    def __getitem__(self, place: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rng = np.random.default_rng((self._recipe.seed, self._epoch, place))
        targets = rng.choice(len(Target), self._recipe.batch_size, p=list(_TARGET_SHARES.values()))
        chosen = [int(rng.choice(self._members[Target(target)])) for target in targets]
        pictures = np.stack([augment(self._pictures[index], self._size, rng, self._recipe.freedom) for index in chosen])
        truth = np.eye(len(Target), dtype=np.float32)[targets]
        return pictures[..., None].astype(np.float32), self._softened(truth, pictures)

    def _softened(self, truth: NDArray[np.float32], pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Part of each target as the teacher sees it, which tells pneumonia from none and leaves its kind as it is."""
        if self._teacher is None:
            return truth
        probability = self._teacher(pictures)[:, None].astype(np.float32)
        kinds = np.where(truth[:, :1] == 1, np.float32(0.5), truth[:, 1:])
        taught = np.concatenate([1 - probability, probability * kinds], axis=1)
        share = self._recipe.teacher_share
        return np.asarray((1 - share) * truth + share * taught, np.float32)


def steps_per_epoch(pictures: int, batch_size: int) -> int:
    """How many batches show about as many pictures as there are."""
    return max(1, math.ceil(pictures / batch_size))


def teacher_of(engine: Engine, size: int, temperature: float) -> Teacher:
    """A trained network as a teacher; it looks at what the pupil looks at, brought to its own size."""
    one_at_a_time = Lock()  # batches are made in several threads, and an engine answers one of them at a time

    def answer(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
        enlarged = np.stack([preprocess(picture, size) for picture in pictures])
        with one_at_a_time:
            scores = engine.read(enlarged).scores
        return to_probabilities(scores.astype(np.float64), temperature)

    return answer
