"""All that one evaluation found, together: as JSON, and as the figures that a card carries."""

from dataclasses import asdict, dataclass
from typing import Any

from workers.training.attention_checks import AttentionChecks, RandomisationCheck, attention_json, randomisation_json
from workers.training.evaluation import Evaluation, evaluation_json
from workers.training.intervals import Figure
from workers.training.negatives_check import Negatives, negatives_json
from workers.training.served import Served, served_json
from workers.training.stress import Stress, stress_json


@dataclass(frozen=True)
class Findings:
    """The evaluation, and each further check that was asked for."""

    evaluation: Evaluation
    negatives: Negatives | None = None
    stress: Stress | None = None
    attention: AttentionChecks | None = None
    randomisation: RandomisationCheck | None = None
    served: Served | None = None


def findings_json(findings: Findings) -> dict[str, Any]:
    """As plain values; None stands for a check that was not asked for. docs/evaluation.md says what each key is."""
    return evaluation_json(findings.evaluation) | {
        "negatives": findings.negatives and negatives_json(findings.negatives),
        "stress": findings.stress and stress_json(findings.stress),
        "attention": findings.attention and attention_json(findings.attention),
        "randomisation": findings.randomisation and randomisation_json(findings.randomisation),
        "served": findings.served and served_json(findings.served),
        "card_figures": {
            part: {name: asdict(figure) for name, figure in figures.items()}
            for part, figures in card_figures(findings).items()
        },
    }


def card_figures(findings: Findings) -> dict[str, dict[str, Figure]]:
    """What was found besides the figures of a part of the patients, in the sections that a card has for it."""
    sections = {
        "gate": _gate(findings),
        "stability": _stability(findings.stress),
        "heatmap": _heatmap(findings.attention, findings.randomisation),
    }
    return {name: figures for name, figures in sections.items() if figures}


def _gate(findings: Findings) -> dict[str, Figure]:
    found = {"radiographs_refused": findings.evaluation.refusals["all"]}
    if findings.negatives:
        found["others_refused"] = findings.negatives.pooled.share
        if findings.negatives.kept_from_fitting:
            found["others_kept_from_fitting_refused"] = findings.negatives.kept_from_fitting.share
    return found


def _stability(stress: Stress | None) -> dict[str, Figure]:
    if stress is None:
        return {}
    flips = {"flipped": stress.pooled.flipped, "flipped_unsaid": stress.pooled.flipped_unsaid}
    flips |= {f"flipped_{name}": variant.flipped for name, variant in stress.variants.items()}
    return {name: figure for name, figure in flips.items() if figure}


def _heatmap(attention: AttentionChecks | None, randomisation: RandomisationCheck | None) -> dict[str, Figure]:
    found = {}
    if attention:
        found["deletion_gain"] = attention.deletion.gain
        found["insertion_gain"] = attention.insertion.gain
        found["mainly_at_border"] = attention.mainly_at_border
    if randomisation:
        found["similarity_when_randomised"] = randomisation.steps[-1].spearman
    return found
