"""What an answer means where few or many of those who come have pneumonia."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PredictiveValues:
    """The share of Pneumonia answers (ppv) and of Normal answers (npv) that are right, each 0 to 1.

    None where no such answer is ever given.
    """

    ppv: float | None
    npv: float | None


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> PredictiveValues:
    """Bayes' theorem; all three are shares, 0 to 1 (Altman and Bland, BMJ 1994;309:102)."""
    true_positive, false_negative = sensitivity * prevalence, (1 - sensitivity) * prevalence
    true_negative, false_positive = specificity * (1 - prevalence), (1 - specificity) * (1 - prevalence)
    return PredictiveValues(
        _share(true_positive, true_positive + false_positive), _share(true_negative, true_negative + false_negative)
    )


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
