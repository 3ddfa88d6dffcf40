"""A whole training run: split, fit, fit the gate, calibrate on validation patients, package, measure as served."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from workers.inference.architectures import Architecture
from workers.inference.card import Card, check_files, read_card
from workers.inference.engines import Engine
from workers.inference.engines.openvino import OpenVinoEngine
from workers.inference.gate import save_gate
from workers.inference.network import CLASSES, build_reader, shift_scores
from workers.inference.preprocess import PREPROCESSING_VERSION
from workers.inference.reader import Reader
from workers.inference.stability import variants
from workers.training.attention_checks import check_attention, heated, sure_normals
from workers.training.batches import Teacher, teacher_of
from workers.training.calibration import Scored, calibrate
from workers.training.dataset import Case, Part, check_parts, find_cases, load, split
from workers.training.distribution import distribution
from workers.training.evaluation import evaluate
from workers.training.findings import Findings, card_figures
from workers.training.fit import fit
from workers.training.folding import fold_and_round
from workers.training.gate_data import collected_examples, made_examples, phantom_examples, radiograph_examples
from workers.training.gate_fit import FeaturesOf, GateExamples, choose_limits, fit_gate, join
from workers.training.metrics import fit_shift
from workers.training.negatives_check import check_negatives
from workers.training.package import export, write_card
from workers.training.randomised import check_randomisation
from workers.training.recipes import Recipe
from workers.training.stress import flip_rates

_HARMLESS_VARIANTS = 1
_VALIDATION_VARIANTS = 3
_CHUNK = 64
_HEATED = 200
"""Pictures that the heatmap is checked on; each costs some hundred readings."""
_INTENDED_USE = (
    "An aid to the reading of frontal chest radiographs of children of one to five years for pneumonia, by clinicians "
    "who look at the radiograph themselves. Not a diagnosis, and not for use without a reader."
)
_LIMITS = [
    "Trained on children of one to five years from one hospital (Guangzhou Women and Children's Medical Center); "
    "other ages, hospitals and devices were not measured.",
    "It answers Normal or Pneumonia and nothing else: any other finding is outside its view.",
    "Lateral views were not at hand when the gate was fitted: one is refused by what its DICOM header says, or where "
    "it looks like nothing that was learned from.",
    "Held-out figures come from the same hospital's training archive and flatter: published models of this kind "
    "did worse on the data set's official test patients, in specificity above all.",
    "The heatmap shows where the evidence for pneumonia came from, on a coarse grid; it outlines no lesion.",
]


@dataclass(frozen=True)
class Sources:
    """What a run learns from."""

    data: Path
    """Folder with NORMAL/ and PNEUMONIA/."""
    negatives: Path | None = None
    """Folder of pictures that are no chest radiographs, a subfolder per kind."""
    backbone_weights: Path | None = None
    teacher: Path | None = None
    """A model's folder, whose answers the network learns beside the labels."""


def train(
    *,
    sources: Sources,
    architecture: Architecture,
    recipe: Recipe,
    out: Path,
    version: str,
    mirrored: bool = False,
    resume: bool = False,
) -> Card:
    """Train and leave weights, both engines' networks, the gate and the card in `out`.

    All limits on the card are chosen on validation patients; the held-out patients choose nothing. Raises
    DatasetError for a folder of another layout.
    """
    out.mkdir(parents=True, exist_ok=True)
    parts = split(find_cases(sources.data), recipe.split_seed)
    check_parts(parts)
    classifier = fit(
        parts[Part.TRAIN],
        architecture,
        recipe,
        out,
        backbone_weights=sources.backbone_weights,
        teacher=_load_teacher(sources.teacher),
        resume=resume,
    )
    fold_and_round(classifier)

    def packaged() -> Engine:
        reader = build_reader(classifier, architecture.gate_layer, recipe.input_size, mirrored=mirrored)
        export(classifier, reader, out)
        return OpenVinoEngine(out)

    shift = _shift(packaged(), parts[Part.VALIDATION], recipe)
    shift_scores(classifier, by=shift)
    engine = packaged()
    facts = {
        **_choose(engine, parts, recipe, sources, out),
        "name": architecture.name,
        "version": version,
        "architecture": architecture.name,
        "input_size": recipe.input_size,
        "mirrored": mirrored,
        "classes": list(CLASSES),
        "preprocessing_version": PREPROCESSING_VERSION,
        "training": _training_facts(parts, recipe, sources) | {"score_shift": shift},
        "intended_use": _INTENDED_USE,
        "limits": _LIMITS,
    }
    write_card(out, figures={}, **facts)
    return write_card(out, figures=_measure(out, parts, sources.negatives), **facts)


def _load_teacher(folder: Path | None) -> Teacher | None:
    if folder is None:
        return None
    card = read_card(folder)
    check_files(folder, card)
    return teacher_of(OpenVinoEngine(folder), card.input_size, card.temperature)


def _shift(engine: Engine, cases: Sequence[Case], recipe: Recipe) -> float:
    pictures = load(cases, recipe.input_size)
    scores = [engine.read(pictures[start : start + _CHUNK]).scores for start in range(0, len(pictures), _CHUNK)]
    return fit_shift(_labels(cases), np.concatenate(scores).astype(np.float64))


def _choose(
    engine: Engine, parts: dict[Part, list[Case]], recipe: Recipe, sources: Sources, out: Path
) -> dict[str, Any]:
    """Fit the gate on the patients that were learned from, and choose all limits on validation patients."""
    features_of = _features_of(engine)
    pictures = load(parts[Part.VALIDATION], recipe.input_size)
    labels = _labels(parts[Part.VALIDATION])
    weights = fit_gate(_gate_examples(parts[Part.TRAIN], recipe, sources, features_of))
    save_gate(weights, out)
    accepted = radiograph_examples(pictures, labels, _VALIDATION_VARIANTS, features_of, recipe.seed + 1)
    calibration = calibrate(_score(engine, pictures, labels))
    return {"gate": choose_limits(weights, accepted.features), **vars(calibration)}


def _gate_examples(cases: Sequence[Case], recipe: Recipe, sources: Sources, features_of: FeaturesOf) -> GateExamples:
    pictures = load(cases, recipe.input_size)
    examples = [
        radiograph_examples(pictures, _labels(cases), _HARMLESS_VARIANTS, features_of, recipe.seed),
        phantom_examples(recipe.input_size, features_of, recipe.seed),
        made_examples(pictures, features_of, recipe.seed),
    ]
    if sources.negatives:
        examples.append(collected_examples(sources.negatives, recipe.input_size, features_of, recipe.seed))
    return join(examples)


def _features_of(engine: Engine) -> FeaturesOf:
    def features_of(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        return engine.read(pictures).features

    return features_of


def _score(engine: Engine, pictures: NDArray[np.uint8], labels: NDArray[np.bool_]) -> Scored:
    scores, attention, changed = [], [], []
    for start in track(range(0, len(pictures), _CHUNK), description="Scoring validation patients"):
        chunk = pictures[start : start + _CHUNK]
        raw = engine.read(chunk)
        scores.append(raw.scores)
        attention.append(raw.attention)
        others = np.concatenate([variants(picture) for picture in chunk])
        changed.append(engine.read(others).scores.reshape(len(chunk), -1).T)
    return Scored(
        labels,
        np.concatenate(scores).astype(np.float64),
        np.concatenate(changed, axis=1).astype(np.float64),
        np.concatenate(attention),
    )


def _measure(out: Path, parts: dict[Part, list[Case]], negatives: Path | None) -> dict[str, Any]:
    """The packaged model's figures, through the reader that serves."""
    reader = Reader(out, "openvino")
    validation, holdout = (evaluate(reader, parts[part]) for part in (Part.VALIDATION, Part.HOLDOUT))
    found = Findings(
        evaluation=holdout,
        negatives=check_negatives(reader, negatives) if negatives else None,
        stress=flip_rates(reader, parts[Part.HOLDOUT]),
    )
    rows, normals = heated(holdout.read, _HEATED), sure_normals(holdout.read)
    if rows and normals:
        found = replace(
            found, attention=check_attention(reader, rows, normals), randomisation=check_randomisation(out, rows)
        )
    sections = {"validation": validation.figures, "holdout": holdout.figures, **card_figures(found)}
    measured = {
        section: {name: asdict(figure) for name, figure in figures.items()} for section, figures in sections.items()
    }
    return measured | {"distribution": distribution(validation.read)}


def _labels(cases: Sequence[Case]) -> NDArray[np.bool_]:
    return np.array([case.is_pneumonia for case in cases])


def _training_facts(parts: dict[Part, list[Case]], recipe: Recipe, sources: Sources) -> dict[str, Any]:
    return {
        "data": "Kermany, Zhang, Goldbaum: Labeled Optical Coherence Tomography (OCT) and Chest X-Ray Images for "
        "Classification, Mendeley Data, doi 10.17632/rscbjbr9sj; the official training split.",
        "licence": "CC BY 4.0",
        "population": "Children of one to five years, Guangzhou Women and Children's Medical Center.",
        "split": {
            "by": "patient, by seeded hash",
            "seed": recipe.split_seed,
            **{p.value: _count(parts[p]) for p in Part},
        },
        "chosen_on": "validation: shift and temperature of the score (least log loss), threshold (best balanced "
        "accuracy), bands, gate and heatmap limits",
        "starting_weights": "ImageNet" if sources.backbone_weights else "none",
        "teacher": _name_of(sources.teacher) if sources.teacher else "none",
        "recipe": asdict(recipe),
    }


def _name_of(folder: Path) -> str:
    card = read_card(folder)
    return f"{card.name} {card.version}"


def _count(cases: Sequence[Case]) -> dict[str, int]:
    return {
        "images": len(cases),
        "pneumonia": sum(case.is_pneumonia for case in cases),
        "patients": len({case.patient for case in cases}),
    }
