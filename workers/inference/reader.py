"""The reader: a model, its card, its gate and its engine, from files to answers."""

import hashlib
import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from diagnoses.imaging import sandbox
from diagnoses.imaging.errors import ImageError, ImageFault
from diagnoses.imaging.heatmap import encode
from diagnoses.imaging.sandbox import decode
from workers.inference.attention import border_share
from workers.inference.card import Band, Card, ModelError, check_files, read_card
from workers.inference.engines import RawReadings, load_engine
from workers.inference.gate import load_gate
from workers.inference.preprocess import PREPROCESSING_VERSION, GreyImage, preprocess
from workers.inference.quality import judge_facts, judge_quality, words_of
from workers.inference.stability import variants

NORMAL = "NORMAL"
PNEUMONIA = "PNEUMONIA"
IN_BAND = "band"
UNSTABLE = "unstable"
HEAT_AT_BORDER = "heatmap_at_border"


@dataclass(frozen=True)
class ReadRequest:
    """A file to read. The patient's age, where the sender told it, in years.

    `gate_overridden`: a person wants it read though the gate refuses it; what the gate said becomes a warning.
    """

    data: bytes
    age_years: float | None = None
    gate_overridden: bool = False


@dataclass(frozen=True)
class Reading:
    """What the model says of one picture.

    `label` is what the threshold says. `score` is the raw log-odds of pneumonia, `probability` its calibrated
    probability (0 to 1). `indeterminate_reason` is why the product would rather not say: empty, `band` or `unstable`.
    `heatmap` is a small grey PNG, `heatmap_peak` the log-odds that its hottest cell adds to the score.
    """

    label: str
    score: float
    probability: float
    indeterminate_reason: str
    warnings: tuple[str, ...]
    image_sha256: str
    heatmap: bytes
    heatmap_peak: float
    timings_ms: dict[str, float]


@dataclass
class _Case:
    """A request on its way through the reader."""

    request: ReadRequest
    picture: GreyImage
    decode_ms: float
    warnings: list[str] = field(default_factory=list)

    def object_to(self, fault: ImageFault | None) -> ImageError | None:
        """The gate's refusal, or nothing where there is none or a person has overridden it."""
        if fault is None:
            return None
        if not self.request.gate_overridden:
            return ImageError(fault, words_of(fault))
        if fault not in self.warnings:
            self.warnings.append(fault)
        return None


Prepared: TypeAlias = _Case | ImageError
"""A request that is ready for the network, or has its answer already."""


class Reader:
    """One model, loaded and warm. Build it once per process."""

    def __init__(self, folder: Path, engine: str = "auto", *, refuse_outside_age: bool = False) -> None:
        """Load the model of `folder`. Raises ModelError for one that is damaged or from another time."""
        self.folder = folder
        self.card: Card = read_card(folder)
        if self.card.preprocessing_version != PREPROCESSING_VERSION:
            raise ModelError(
                f"{folder} was trained with preprocessing {self.card.preprocessing_version}; this version prepares "
                f"pictures as {PREPROCESSING_VERSION}."
            )
        check_files(folder, self.card)
        self.refuses_outside_age = refuse_outside_age
        self._gate = load_gate(folder, self.card.gate)
        # For the whole process. The gate's products are too small for threads, which then wait for the next one
        # spinning, and take the cores from the engine and the decoders.
        threadpool_limits(limits=1, user_api="blas")
        self._engine = load_engine(folder, self.card, engine)
        self._decoders = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")
        sandbox.start()
        self._warm()

    @property
    def engine(self) -> str:
        """The name of the engine that answers."""
        return self._engine.name

    def read(self, requests: Sequence[ReadRequest]) -> list[Reading | ImageError]:
        """One answer per request, in order: a reading, or why the file cannot be read or is refused."""
        return self.read_prepared(self.prepare(requests))

    def prepare(self, requests: Sequence[ReadRequest]) -> list[Prepared]:
        """Decode, and apply the rules that need no network. Safe beside a `read_prepared` of other requests."""
        return list(self._decoders.map(self._prepare, requests))

    def read_prepared(self, prepared: Sequence[Prepared]) -> list[Reading | ImageError]:
        """The answers to prepared requests, in order. One call at a time."""
        cases = [item for item in prepared if isinstance(item, _Case)]
        answers = iter(self._read_cases(cases))
        return [item if isinstance(item, ImageError) else next(answers) for item in prepared]

    def _prepare(self, request: ReadRequest) -> Prepared:
        started = time.perf_counter()
        try:
            radiograph = decode(request.data)
        except ImageError as error:
            return error
        case = _Case(request, preprocess(radiograph.pixels, self.card.input_size), 0.0)
        for fault in judge_facts(radiograph.facts, request.age_years) + judge_quality(radiograph, case.picture):
            if fault is ImageFault.OUTSIDE_AGE and not self.refuses_outside_age:
                case.warnings.append(fault)
            elif refusal := case.object_to(fault):
                return refusal
        case.decode_ms = _ms_since(started)
        return case

    def _read_cases(self, cases: Sequence[_Case]) -> list[Reading | ImageError]:
        if not cases:
            return []
        started = time.perf_counter()
        raw = self._engine.read(np.stack([case.picture for case in cases]))
        refusals = [case.object_to(fault) for case, fault in zip(cases, self._gate.judge(raw.features), strict=True)]
        unstable = self._unstable(cases, raw, refusals)
        engine_ms = _ms_since(started) / len(cases)
        return [
            refusal or self._reading(case, float(raw.scores[row]), raw.attention[row], row in unstable, engine_ms)
            for row, (case, refusal) in enumerate(zip(cases, refusals, strict=True))
        ]

    def _unstable(
        self, cases: Sequence[_Case], raw: RawReadings, refusals: Sequence[ImageError | None]
    ) -> frozenset[int]:
        """The rows whose label a harmless change of the picture would turn; asked only where that can happen."""
        near = [
            row
            for row, refusal in enumerate(refusals)
            if refusal is None and _inside(self.card.unsteady, self._probability(float(raw.scores[row])))
        ]
        if not near:
            return frozenset()
        changed = [variants(cases[row].picture) for row in near]
        scores = self._engine.read(np.concatenate(changed)).scores.reshape(len(near), -1)
        return frozenset(
            row
            for row, others in zip(near, scores, strict=True)
            if {self._label(float(raw.scores[row]))} != {self._label(float(score)) for score in others}
        )

    def _reading(
        self, case: _Case, score: float, attention: NDArray[np.float32], unstable: bool, engine_ms: float
    ) -> Reading:
        if not math.isfinite(score):
            raise ModelError("The network gave no finite score.")
        probability = self._probability(score)
        if probability < self.card.band.low:
            attention = np.zeros_like(attention)  # a confident Normal has nothing to point at
        if attention.max() >= self.card.heatmap.floor and border_share(attention) > self.card.heatmap.border_share:
            case.warnings.append(HEAT_AT_BORDER)  # of a map too cold to be seen, nothing need be said
        return Reading(
            label=self._label(score),
            score=score,
            probability=probability,
            indeterminate_reason=IN_BAND if _inside(self.card.band, probability) else UNSTABLE if unstable else "",
            warnings=tuple(case.warnings),
            image_sha256=hashlib.sha256(case.request.data).hexdigest(),
            heatmap=encode(attention, self.card.heatmap.floor),
            heatmap_peak=float(attention.max()),
            timings_ms={"decode": round(case.decode_ms, 2), "engine": round(engine_ms, 2)},
        )

    def _probability(self, score: float) -> float:
        return calibrated_probability(score, self.card.temperature)

    def _label(self, score: float) -> str:
        return PNEUMONIA if self._probability(score) >= self.card.threshold else NORMAL

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


def _inside(band: Band, probability: float) -> bool:
    return band.low <= probability < band.high


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
