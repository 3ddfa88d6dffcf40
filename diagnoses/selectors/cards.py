"""What the models' cards say, and what became of each version. Cards are shipped: no part is taken for granted."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from diagnoses.models import ModelChange, ModelVersion
from diagnoses.selectors.predictive import PredictiveValues, predictive_values
from diagnoses.selectors.registry import live_model_version

HOLDOUT = "holdout"
"""The part of a card's figures that was measured on patients whom neither the weights nor the limits know."""


@dataclass(frozen=True)
class Figure:
    """A measured value with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float


def figures_of(version: ModelVersion, part: str) -> dict[str, Figure]:
    """The figures of one part of the card, by their names and in its order; none where the card has no such part."""
    said = version.card.get("figures", {}).get(part, {})
    return {
        name: Figure(name, entry["value"], entry["low"], entry["high"])
        for name, entry in said.items()
        if _is_figure(entry)
    }


def predictive_at(version: ModelVersion, prevalence: float | None) -> PredictiveValues | None:
    """What its answers are worth where that share (0 to 1) of patients has pneumonia, by its held-out figures.

    None where the share is not known, or the card lacks the figures.
    """
    figures = figures_of(version, HOLDOUT)
    if prevalence is None or not {"sensitivity", "specificity"} <= set(figures):
        return None
    return predictive_values(figures["sensitivity"].value, figures["specificity"].value, prevalence)


def all_model_versions() -> QuerySet[ModelVersion]:
    """Every version that was ever registered: past answers name it."""
    return ModelVersion.objects.order_by("name", "-registered_at", "-pk")


def changes_of(version: ModelVersion) -> QuerySet[ModelChange]:
    """When and why it began or ceased to read, and by whose choice; newest first."""
    return ModelChange.objects.filter(Q(version=version) | Q(replaced=version)).select_related("version", "replaced")


def find_model_version(wanted: str) -> ModelVersion:
    """The version that "name@version" names, or for a name alone the one that reads: live, else the newest shipped.

    Raises ModelVersion.DoesNotExist.
    """
    if "\0" in wanted:  # which PostgreSQL takes for an error instead of for an unknown name
        raise ModelVersion.DoesNotExist
    name, _, version = wanted.partition("@")
    if version:
        return ModelVersion.objects.get(name=name, version=version)
    live = live_model_version()
    if live and live.name == name:
        return live
    newest = ModelVersion.objects.filter(name=name, available=True).order_by("-registered_at", "-pk").first()
    if newest is None:
        raise ModelVersion.DoesNotExist
    return newest


def _is_figure(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(key), int | float) for key in ("value", "low", "high"))
