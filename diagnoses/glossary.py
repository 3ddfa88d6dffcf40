"""What the words and numbers on the pages mean, each in a sentence or two."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Term:
    """A word or number, and what it means."""

    key: str
    name: Any
    meaning: Any


_TERMS = (
    Term(
        "order",
        _("Order of the worklist"),
        _(
            "Studies that nobody has read come first. Among them urgent ones, then what needs a person most: likely "
            "pneumonia, cannot say, refused, failed, not yet known, normal. Within these the oldest, who has waited "
            "longest."
        ),
    ),
    Term(
        "probability",
        _("Probability of pneumonia"),
        _(
            "How likely the model holds pneumonia to be in this picture, from 0 to 100 %. It is calibrated: of a "
            "hundred pictures like those it was measured on with 80 %, about eighty showed pneumonia."
        ),
    ),
    Term(
        "threshold",
        _("Threshold"),
        _(
            "The probability from which the answer is “Pneumonia”; below it the answer is “Normal”. Each model has "
            "its own."
        ),
    ),
    Term(
        "cannot-say",
        _("Cannot say"),
        _(
            "The probability is too near the threshold, or a harmless change of the picture would turn the answer "
            "round. Read such a picture as if there were no answer."
        ),
    ),
    Term(
        "refused",
        _("Refused"),
        _(
            "The picture is not one that the model can read: no whole, upright, frontal chest, or of poor quality. "
            "The reason stands beside it; who knows better may override it."
        ),
    ),
    Term(
        "failed",
        _("Failed"),
        _("Something broke on the server, whatever the picture shows. An administrator can have it tried again."),
    ),
    Term(
        "heatmap",
        _("Heatmap"),
        _("Colours over the picture show where the model looked for its answer. They do not outline a lesion."),
    ),
    Term(
        "urgent",
        _("Urgent"),
        _(
            "The sender, or somebody since, wants this study before others. The model reads it first, and it is "
            "listed first."
        ),
    ),
    Term(
        "read",
        _("Read by a person"),
        _("Someone has signed what they see in each picture of the study. Until then it stays on the worklist."),
    ),
    Term(
        "reads-first",
        _("Hidden until you have read"),
        _(
            "You chose to read before you see the model's answer, since an answer seen first is followed too easily. "
            "Sign your reading to see it, or change this under Preferences."
        ),
    ),
    Term("turnaround", _("Turnaround"), _("The time from sending a picture to its answer, or to a person's reading.")),
    Term(
        "agreement",
        _("Agreement"),
        _("The share of pictures of which two readers, or a reader and the model, say the same."),
    ),
    Term(
        "kappa",
        _("Kappa"),
        _(
            "Agreement beyond what chance alone would give: 0 is no better than chance, 1 is complete. Cohen's kappa "
            "compares two readers."
        ),
    ),
    Term("sensitivity", _("Sensitivity"), _("Of those who have pneumonia, the share in whom it is found.")),
    Term("specificity", _("Specificity"), _("Of those who have no pneumonia, the share who are told so.")),
    Term(
        "predictive-value",
        _("Predictive value"),
        _("Of the answers of one kind, the share that is right. It depends on how many of those who come are ill."),
    ),
    Term("prevalence", _("Prevalence"), _("The share of those X-rayed here who have pneumonia.")),
    Term(
        "interval",
        _("Interval (95 %)"),
        _("How far a measured figure could move with other patients of the same kind. A narrow one is surer."),
    ),
    Term(
        "auc",
        _("AUC"),
        _("How well a model puts ill above healthy whatever the threshold: 0.5 is chance, 1 is without a fault."),
    ),
    Term(
        "sample",
        _("Sample"),
        _("A drawn chest to try the product with. It is nobody's, and its answer means nothing."),
    ),
)

GLOSSARY = {term.key: term for term in _TERMS}
