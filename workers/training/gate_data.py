"""What the gate learns from: radiographs under harmless changes, and pictures that are no whole, upright chest."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diagnoses.imaging.decode import decode
from diagnoses.imaging.errors import ImageError
from diagnoses.imaging.phantom import draw_phantom
from workers.inference.preprocess import GreyImage, preprocess
from workers.training.augmentation import FREE, HARMLESS, augment
from workers.training.gate_fit import FeaturesOf, GateExamples, target_of
from workers.training.negatives import NEGATIVE_KINDS, load_negatives

_CHUNK = 256
_PHANTOMS = 120
_PHANTOM_KIND = 2
"""Accepted pictures come as normal (0), pneumonia (1) and drawn phantoms (2)."""
_COLLECTED_VARIANTS = 2
"""Of each collected picture, beside itself."""
_HELD_OUT_FOLDERS = frozenset({"satellite", "screenshot", "ultrasound"})


@dataclass(frozen=True)
class _Example:
    picture: GreyImage
    target: int
    kind: int = -1


def radiograph_examples(
    pictures: NDArray[np.uint8], labels: NDArray[np.bool_], variants: int, features_of: FeaturesOf, seed: int
) -> GateExamples:
    """Each radiograph as it is, and `variants` harmless changes of it: all to be accepted."""

    def examples() -> Iterator[_Example]:
        for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
            rng = np.random.default_rng((seed, index))
            yield _Example(picture, 0, int(label))
            for _ in range(variants):
                yield _Example(augment(picture, picture.shape[0], rng, HARMLESS), 0, int(label))

    return _collect(examples(), features_of)


def phantom_examples(size: int, features_of: FeaturesOf, seed: int) -> GateExamples:
    """Drawn phantoms of many sizes: accepted, so that the product can be tried without a patient's picture."""

    def examples() -> Iterator[_Example]:
        for index in range(_PHANTOMS):
            rng = np.random.default_rng((seed, index))
            width = int(rng.integers(120, 1400))
            drawn = preprocess(draw_phantom(width, round(width * rng.uniform(0.7, 1.15)), seed=index), size)
            if index % 2:
                drawn = augment(drawn, size, rng, HARMLESS)
            yield _Example(drawn, 0, _PHANTOM_KIND)

    return _collect(examples(), features_of)


def made_examples(pictures: NDArray[np.uint8], features_of: FeaturesOf, seed: int) -> GateExamples:
    """From each radiograph one picture that must be refused, of a kind that is not kept for reporting."""
    kinds = [kind for kind in NEGATIVE_KINDS.values() if not kind.held_out]

    def examples() -> Iterator[_Example]:
        for index, picture in enumerate(pictures):
            rng = np.random.default_rng((seed, index))
            kind = kinds[index % len(kinds)]
            made = preprocess(kind.make(picture, rng), picture.shape[0])
            yield _Example(made, target_of(kind.fault))

    return _collect(examples(), features_of)


def is_only_reported_on(kind: str, path: Path) -> bool:
    """Whether a collected picture is kept from fitting: some whole kinds are, and a fifth of each other one."""
    return kind in _HELD_OUT_FOLDERS or hashlib.sha256(path.name.encode()).digest()[0] % 5 == 0


def collected_examples(folder: Path, size: int, features_of: FeaturesOf, seed: int) -> GateExamples:
    """Variants of the pictures below `folder`, none of which is a chest radiograph."""
    paths = [path for kind, path in load_negatives(folder) if not is_only_reported_on(kind, path)]

    def examples() -> Iterator[_Example]:
        with ThreadPoolExecutor() as pool:
            for index, picture in enumerate(pool.map(_read, paths)):
                rng = np.random.default_rng((seed, index))
                if picture is None:
                    continue
                yield _Example(preprocess(picture, size), 1)
                for _ in range(_COLLECTED_VARIANTS):
                    yield _Example(augment(picture, size, rng, FREE), 1)

    return _collect(examples(), features_of)


def _read(path: Path) -> GreyImage | None:
    try:
        return decode(path.read_bytes()).pixels
    except ImageError:
        return None


def _collect(examples: Iterator[_Example], features_of: FeaturesOf) -> GateExamples:
    """The features of all examples, chunk by chunk, so that the pictures need never be held at once."""
    features: list[NDArray[np.float32]] = []
    targets: list[int] = []
    kinds: list[int] = []
    chunk: list[_Example] = []
    for example in examples:
        chunk.append(example)
        targets.append(example.target)
        kinds.append(example.kind)
        if len(chunk) == _CHUNK:
            features.append(features_of(_stack(chunk)))
            chunk = []
    if chunk:
        features.append(features_of(_stack(chunk)))
    return GateExamples(np.concatenate(features), np.array(targets, np.int64), np.array(kinds, np.int64))


def _stack(chunk: Sequence[_Example]) -> NDArray[np.uint8]:
    return np.stack([example.picture for example in chunk])
