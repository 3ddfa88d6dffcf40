"""The reader: a model, its card and its engine, from files to answers."""

import hashlib
import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diagnoses.imaging.decode import decode
from diagnoses.imaging.errors import ImageError
from diagnoses.imaging.heatmap import encode
from workers.inference.card import Card, ModelError, check_files, read_card
from workers.inference.engines import load_engine
from workers.inference.preprocess import PREPROCESSING_VERSION, GreyImage, preprocess

NORMAL = "NORMAL"
PNEUMONIA = "PNEUMONIA"


@dataclass(frozen=True)
class Reading:
    """What the model says of one picture.

    `score` is the raw log-odds of pneumonia, `probability` its calibrated probability (0 to 1). `heatmap` is a
    small grey PNG, `heatmap_peak` the log-odds that its hottest cell adds to the score.
    """

    label: str
    score: float
    probability: float
    image_sha256: str
    heatmap: bytes
    heatmap_peak: float
    timings_ms: dict[str, float]


@dataclass(frozen=True)
class _Prepared:
    picture: GreyImage
    sha256: str
    decode_ms: float


class Reader:
    """One model, loaded and warm. Build it once per process."""

    def __init__(self, folder: Path, engine: str = "auto") -> None:
        """Load the model of `folder`. Raises ModelError for one that is damaged or from another time."""
        self.card: Card = read_card(folder)
        if self.card.preprocessing_version != PREPROCESSING_VERSION:
            raise ModelError(
                f"{folder} was trained with preprocessing {self.card.preprocessing_version}; this version prepares "
                f"pictures as {PREPROCESSING_VERSION}."
            )
        check_files(folder, self.card)
        self._engine = load_engine(folder, self.card, engine)
        self._decoders = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")
        self._warm()

    @property
    def engine(self) -> str:
        """The name of the engine that answers."""
        return self._engine.name

    def read(self, files: Sequence[bytes]) -> list[Reading | ImageError]:
        """One answer per file, in order: a reading, or why the file cannot be read."""
        prepared = list(self._decoders.map(self._prepare, files))
        readable = [item for item in prepared if isinstance(item, _Prepared)]
        readings = iter(self._read_prepared(readable))
        return [item if isinstance(item, ImageError) else next(readings) for item in prepared]

    def _prepare(self, data: bytes) -> _Prepared | ImageError:
        started = time.perf_counter()
        try:
            picture = preprocess(decode(data).pixels, self.card.input_size)
        except ImageError as error:
            return error
        return _Prepared(picture, hashlib.sha256(data).hexdigest(), _ms_since(started))

    def _read_prepared(self, prepared: Sequence[_Prepared]) -> list[Reading]:
        if not prepared:
            return []
        started = time.perf_counter()
        raw = self._engine.read(np.stack([item.picture for item in prepared]))
        engine_ms = _ms_since(started) / len(prepared)
        return [
            self._reading(item, float(score), attention, engine_ms)
            for item, score, attention in zip(prepared, raw.scores, raw.attention, strict=True)
        ]

    def _reading(self, item: _Prepared, score: float, attention: np.ndarray, engine_ms: float) -> Reading:
        if not math.isfinite(score):
            raise ModelError("The network gave no finite score.")
        probability = calibrated_probability(score, self.card.temperature)
        return Reading(
            label=PNEUMONIA if probability >= self.card.threshold else NORMAL,
            score=score,
            probability=probability,
            image_sha256=item.sha256,
            heatmap=encode(attention, self.card.heatmap_floor),
            heatmap_peak=float(attention.max()),
            timings_ms={"decode": round(item.decode_ms, 2), "engine": round(engine_ms, 2)},
        )

    def _warm(self) -> None:
        """Read a phantom, so that the first patient does not wait and a broken network shows itself now."""
        size = self.card.input_size
        phantom = np.linspace(0, 255, size * size).reshape(size, size).astype(np.uint8)
        if not np.isfinite(self._engine.read(phantom[None]).scores).all():
            raise ModelError("The network gave no finite score for a phantom.")


def calibrated_probability(score: float, temperature: float) -> float:
    """The probability of pneumonia for a raw score in log-odds (Guo et al., 2017, arXiv:1706.04599)."""
    scaled = score / temperature
    # Both forms are the sigmoid; each is used where its exponential cannot overflow.
    if scaled >= 0:
        return 1 / (1 + math.exp(-scaled))
    return math.exp(scaled) / (1 + math.exp(scaled))


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
