"""A reader whose answers are made up, and folders of synthetic radiographs for it."""

import hashlib
from collections.abc import Callable, Sequence
from math import log
from pathlib import Path

import cv2
import numpy as np

from diagnoses.imaging.decode import decode
from diagnoses.imaging.errors import ImageError, ImageFault
from diagnoses.imaging.heatmap import encode
from tests import pictures
from workers.inference.card import Band, Card, GateLimits, HeatmapLimits
from workers.inference.network import CLASSES
from workers.inference.preprocess import PREPROCESSING_VERSION
from workers.inference.reader import IN_BAND, NORMAL, PNEUMONIA, Reading, ReadRequest
from workers.training.dataset import Case

THRESHOLD = 0.5
HALF_WIDTH = 0.1
REFUSAL = ImageError(ImageFault.INVERTED, "This looks like a negative.")

Answer = Callable[[bytes], "float | Reading | ImageError"]
"""From a file's bytes to a probability, a whole reading, or a refusal."""


def make_card(name: str = "fake", version: str = "1.0.0", threshold: float = THRESHOLD) -> Card:
    return Card(
        name=name,
        version=version,
        architecture="tiny",
        input_size=64,
        classes=list(CLASSES),
        preprocessing_version=PREPROCESSING_VERSION,
        threshold=threshold,
        temperature=1.0,
        band=Band(low=threshold - HALF_WIDTH, high=threshold + HALF_WIDTH),
        unsteady=Band(low=threshold - HALF_WIDTH, high=threshold + HALF_WIDTH),
        mirrored=False,
        gate=GateLimits(accepted_probability=0.5, distance=3.0),
        heatmap=HeatmapLimits(floor=0.1, border_share=0.9),
        training={"split": {"seed": 1}},
        figures={},
        intended_use="For <tests> alone.",
        limits=[],
        weights_sha256=hashlib.sha256(name.encode()).hexdigest(),
        files={},
    )


class FakeReader:
    """Says of each file what `answer` says of its bytes."""

    engine = "made up"

    def __init__(self, answer: Answer, card: Card | None = None) -> None:
        self._answer = answer
        self.card = card or make_card()
        self.requests: list[ReadRequest] = []

    def read(self, requests: Sequence[ReadRequest]) -> list[Reading | ImageError]:
        self.requests.extend(requests)
        answers = [self._answer(request.data) for request in requests]
        return [make_reading(a, self.card.threshold) if isinstance(a, float) else a for a in answers]


def make_reading(
    probability: float,
    threshold: float = THRESHOLD,
    heat: Sequence[Sequence[float]] = ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
    warnings: tuple[str, ...] = (),
) -> Reading:
    inside = min(max(probability, 1e-9), 1 - 1e-9)
    return Reading(
        label=PNEUMONIA if probability >= threshold else NORMAL,
        score=log(inside / (1 - inside)),
        probability=probability,
        indeterminate_reason=IN_BAND if abs(probability - threshold) < HALF_WIDTH else "",
        warnings=warnings,
        image_sha256="0" * 64,
        heatmap=encode(np.array(heat, np.float32), 0.1),
        heatmap_peak=float(np.max(heat)),
        timings_ms={"decode": 1.0, "engine": 1.0},
    )


def level_of(data: bytes) -> float:
    """The mean of a picture's grey levels, 0 to 1."""
    return float(decode(data).pixels.mean()) / 255


def write_case(folder: Path, patient: str, probability: float, *, is_pneumonia: bool, name: str = "1") -> Case:
    """A plain grey picture, as bright as the probability that a reader by `level_of` shall give it."""
    path = folder / ("PNEUMONIA" if is_pneumonia else "NORMAL") / f"{patient}_{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pictures.png(np.full((64, 64), round(probability * 255), np.uint8)))
    return Case(path, is_pneumonia, patient, None)


def write_cases(folder: Path, normals: Sequence[float], pneumonias: Sequence[float]) -> list[Case]:
    """One picture of each of as many patients."""
    return [
        *(write_case(folder, f"n{i}", p, is_pneumonia=False) for i, p in enumerate(normals)),
        *(write_case(folder, f"p{i}", p, is_pneumonia=True) for i, p in enumerate(pneumonias)),
    ]


def shape_of(data: bytes) -> tuple[int, ...]:
    """Height and width of a file's picture."""
    return tuple(np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)).shape)
