"""A model's figures in words for people who look after children, after Model Cards (Mitchell et al., FAT* 2019)."""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from diagnoses.models import ModelVersion
from diagnoses.selectors.cards import HOLDOUT, Figure, figures_of, predictive_at
from diagnoses.selectors.predictive import PredictiveValues

USUAL_PREVALENCES = (0.05, 0.1, 0.2, 0.5)
"""Shares of patients with pneumonia for which every model page says what an answer is worth."""

_VALIDATION = "validation"
_BAND = ("band_coverage", "accuracy_outside_band", "accuracy_inside_band", "certain", "accuracy_where_certain")
_NO_SHARES = ("auc", "average_precision", "brier", "deletion_gain", "insertion_gain", "similarity_when_randomised")
"""Figures from 0 to 1 that are no share of anything, so that a percentage would mislead."""

_WORDS: dict[str, tuple[str | Promise, str | Promise]] = {
    "sensitivity": (_("Finds pneumonia"), _("Of the images with pneumonia, the share called Pneumonia (sensitivity).")),
    "specificity": (
        _("Sees when there is none"),
        _("Of the images without it, the share called Normal (specificity)."),
    ),
    "accuracy": (_("Right in all"), _("Of all images, the share called rightly (accuracy).")),
    "auc": (
        _("Tells the two apart"),
        _(
            "The chance that of two children, one with pneumonia, that one gets the higher probability (area under "
            "the ROC curve): 0.5 is a coin's toss, 1 is perfect."
        ),
    ),
    "ece": (
        _("Probabilities are off by"),
        _(
            "How far the probabilities lie from what came true, on average (expected calibration error): less is "
            "better."
        ),
    ),
    "specificity_at_98_sensitivity": (
        _("Sees when there is none, if set to find 98 of 100"),
        _("The specificity where the threshold is moved until 98 of 100 images with pneumonia are found."),
    ),
    "band_coverage": (_("Gives an answer"), _("The share of images for which it says Normal or Pneumonia.")),
    "accuracy_outside_band": (_("Right where it answers"), _("Of those, the share that is right.")),
    "accuracy_inside_band": (
        _("Would be right where it cannot say"),
        _("How often the threshold alone would be right there: the reason for not saying."),
    ),
    "certain": (
        _("Gives an answer that holds still"),
        _("The share of images for which it answers, and the answer stays the same on slightly changed copies."),
    ),
    "accuracy_where_certain": (_("Right where its answer holds still"), _("Of those, the share that is right.")),
    "average_precision": (
        _("Ranks pneumonia first"),
        _(
            "How well the images with pneumonia come before the others when all are sorted by probability (average "
            "precision): 1 is perfect."
        ),
    ),
    "brier": (
        _("Probabilities miss by, squared"),
        _("The mean squared distance of the probability from what came true (Brier score): less is better."),
    ),
    "radiographs_refused": (
        _("Chest radiographs refused"),
        _("Of unseen ones that it should have read: less is better."),
    ),
    "others_refused": (
        _("Other pictures refused"),
        _("Of photographs, documents, drawings, slices and other parts of the body."),
    ),
    "others_kept_from_fitting_refused": (
        _("Other pictures refused, of those it did not learn from"),
        _("A fifth of each kind, and some whole kinds."),
    ),
    "flipped": (_("Answer turns, over all changes"), _("The share of answers that turn; the single changes follow.")),
    "flipped_unsaid": (_("Turns unsaid"), _("The answer turns, and neither one was given as Cannot say.")),
    "flipped_jpeg_50": (_("Saved again, strongly compressed"), _("As JPEG of quality 50.")),
    "flipped_jpeg_75": (_("Saved again, as is usual"), _("As JPEG of quality 75.")),
    "flipped_jpeg_95": (_("Saved again, hardly compressed"), _("As JPEG of quality 95.")),
    "flipped_png": (_("Saved again without loss"), _("As PNG.")),
    "flipped_smaller_by_20": (_("Made smaller by a fifth"), ""),
    "flipped_larger_by_20": (_("Made larger by a fifth"), ""),
    "flipped_shifted": (_("Moved by a few pixels"), ""),
    "deletion_gain": (
        _("Heat matters when taken away"),
        _(
            "How much faster the probability falls when the warmest cells are replaced by those of a normal chest "
            "than when chance picks them: above 0 the heatmap tells something."
        ),
    ),
    "insertion_gain": (
        _("Heat matters when put in"),
        _(
            "How much faster the probability rises when the warmest cells are put into a normal chest than when "
            "chance picks them: above 0 the heatmap tells something."
        ),
    ),
    "mainly_at_border": (
        _("Heat mainly at the border"),
        _("The share of heatmaps with more than half of their heat there."),
    ),
    "similarity_when_randomised": (
        _("Likeness to a spoilt network's heatmap"),
        _("Rank correlation with the heatmap of the same network with shuffled weights: near 0 is right."),
    ),
}


@dataclass(frozen=True)
class FigureRow:
    """A figure by its plain name, on unseen patients and on those whom the limits were chosen on."""

    title: str
    meaning: str
    is_share: bool
    unseen: Figure | None = None
    chosen_on: Figure | None = None


@dataclass(frozen=True)
class Worth:
    """What the model's answers are worth where a share (0 to 1) of patients has pneumonia."""

    prevalence: float
    values: PredictiveValues
    is_ours: bool


def main_rows(version: ModelVersion) -> list[FigureRow]:
    """How well it does, without what concerns the band."""
    return _compared(version, lambda name: name not in _BAND)


def band_rows(version: ModelVersion) -> list[FigureRow]:
    """How often it answers, and how well within and without the band."""
    return _compared(version, lambda name: name in _BAND)


def rows_of(version: ModelVersion, part: str) -> list[FigureRow]:
    """The figures of another part of the card: of the gate, of stability, of the heatmap."""
    return [_row(figure.name, figure, None) for figure in figures_of(version, part).values()]


def main_figures(version: ModelVersion) -> list[FigureRow]:
    """The two figures that a list of models is compared by."""
    figures = figures_of(version, HOLDOUT)
    return [_row(name, figures.get(name), None) for name in ("sensitivity", "specificity")]


def worth_at(version: ModelVersion, ours: float | None) -> list[Worth]:
    """What its answers are worth at the site's own prevalence, where that is set, and at the usual ones."""
    shares = sorted({*USUAL_PREVALENCES, *([ours] if ours is not None else [])})
    worth = [(share, predictive_at(version, share)) for share in shares]
    return [Worth(share, values, share == ours) for share, values in worth if values is not None]


def _compared(version: ModelVersion, wanted: Callable[[str], bool]) -> list[FigureRow]:
    unseen, chosen_on = figures_of(version, HOLDOUT), figures_of(version, _VALIDATION)
    known = [*_WORDS, *unseen, *chosen_on]
    names = [name for name in dict.fromkeys(known) if wanted(name) and (name in unseen or name in chosen_on)]
    return [_row(name, unseen.get(name), chosen_on.get(name)) for name in names]


def _row(name: str, unseen: Figure | None, chosen_on: Figure | None) -> FigureRow:
    """A figure that a newer card brings and this page has no words for goes by its own name."""
    title, meaning = _WORDS.get(name, (name.replace("_", " ").capitalize(), ""))
    highest = max(figure.high for figure in (unseen, chosen_on) if figure) if unseen or chosen_on else 0.0
    return FigureRow(str(title), str(meaning), name not in _NO_SHARES and highest <= 1, unseen, chosen_on)
