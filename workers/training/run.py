"""A whole training run: split, fit, calibrate on validation patients, measure on held-out ones, package."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from workers.inference.architectures import Architecture
from workers.inference.card import Card
from workers.inference.network import CLASSES, build_reader
from workers.inference.preprocess import PREPROCESSING_VERSION
from workers.training.dataset import Case, Part, check_parts, find_cases, load, split
from workers.training.fit import Recipe, fit
from workers.training.metrics import Figure, choose_threshold, fit_temperature, summarise, to_probabilities
from workers.training.package import package

_FLOOR_PERCENTILE = 5
_INTENDED_USE = (
    "An aid to the reading of frontal chest radiographs of children of one to five years for pneumonia, by clinicians "
    "who look at the radiograph themselves. Not a diagnosis, and not for use without a reader."
)
_LIMITS = [
    "Trained on children of one to five years from one hospital (Guangzhou Women and Children's Medical Center); "
    "other ages, hospitals and devices were not measured.",
    "It answers Normal or Pneumonia and nothing else: any other finding is outside its view.",
    "It does not yet refuse pictures that are no frontal chest radiograph.",
    "Held-out figures come from the same hospital's training archive and flatter: published models of this kind "
    "did worse on the data set's official test patients, in specificity above all.",
    "The heatmap shows where the evidence for pneumonia came from, on a grid of seven by seven cells; it outlines no "
    "lesion.",
]


@dataclass(frozen=True)
class _Scored:
    cases: Sequence[Case]
    scores: NDArray[np.float64]
    peaks: NDArray[np.float64]

    @property
    def labels(self) -> NDArray[np.bool_]:
        return np.array([case.is_pneumonia for case in self.cases])

    def figures(self, temperature: float, threshold: float) -> dict[str, Figure]:
        probabilities = to_probabilities(self.scores, temperature)
        return summarise(self.labels, probabilities, [case.patient for case in self.cases], threshold)


def train(
    *,
    data: Path,
    architecture: Architecture,
    recipe: Recipe,
    out: Path,
    version: str,
    backbone_weights: Path | None = None,
    resume: bool = False,
) -> Card:
    """Train on the folder `data` and leave weights, both engines' networks and the card in `out`.

    Threshold, temperature and heatmap floor are chosen on validation patients; the held-out patients chose
    nothing. Raises DatasetError for a folder of another layout.
    """
    out.mkdir(parents=True, exist_ok=True)
    parts = split(find_cases(data), recipe.seed)
    check_parts(parts)
    classifier = fit(parts[Part.TRAIN], architecture, recipe, out, backbone_weights, resume=resume)
    reader = build_reader(classifier)
    validation = _score(reader, parts[Part.VALIDATION], architecture.input_size)
    holdout = _score(reader, parts[Part.HOLDOUT], architecture.input_size)
    temperature = fit_temperature(validation.labels, validation.scores)
    probabilities = to_probabilities(validation.scores, temperature)
    threshold = choose_threshold(validation.labels, probabilities)
    called = validation.peaks[probabilities >= threshold]
    return package(
        classifier,
        reader,
        out,
        name=architecture.name,
        version=version,
        architecture=architecture.name,
        input_size=architecture.input_size,
        classes=list(CLASSES),
        preprocessing_version=PREPROCESSING_VERSION,
        threshold=threshold,
        temperature=temperature,
        heatmap_floor=float(np.percentile(called, _FLOOR_PERCENTILE)),
        training=_training_facts(parts, recipe, backbone_weights),
        figures={
            part: {name: asdict(figure) for name, figure in scored.figures(temperature, threshold).items()}
            for part, scored in ((Part.VALIDATION.value, validation), (Part.HOLDOUT.value, holdout))
        },
        intended_use=_INTENDED_USE,
        limits=_LIMITS,
    )


def _score(reader: keras.Model, cases: Sequence[Case], size: int) -> _Scored:
    pictures = load(cases, size)[..., None].astype(np.float32)
    answers = reader.predict(pictures, batch_size=32, verbose=0)
    return _Scored(cases, answers["score"].astype(np.float64), answers["attention"].max(axis=(1, 2)).astype(np.float64))


def _training_facts(parts: dict[Part, list[Case]], recipe: Recipe, backbone_weights: Path | None) -> dict[str, Any]:
    return {
        "data": "Kermany, Zhang, Goldbaum: Labeled Optical Coherence Tomography (OCT) and Chest X-Ray Images for "
        "Classification, Mendeley Data, doi 10.17632/rscbjbr9sj; the official training split.",
        "licence": "CC BY 4.0",
        "population": "Children of one to five years, Guangzhou Women and Children's Medical Center.",
        "split": {"by": "patient, by seeded hash", "seed": recipe.seed, **{p.value: _count(parts[p]) for p in Part}},
        "chosen_on": "validation: threshold (best balanced accuracy), temperature (least log loss), heatmap floor",
        "starting_weights": "ImageNet" if backbone_weights else "none",
        "recipe": asdict(recipe),
    }


def _count(cases: Sequence[Case]) -> dict[str, int]:
    return {
        "images": len(cases),
        "pneumonia": sum(case.is_pneumonia for case in cases),
        "patients": len({case.patient for case in cases}),
    }
