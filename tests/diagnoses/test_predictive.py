"""What an answer means where few or many of those who come have pneumonia."""

import pytest

from diagnoses.selectors.predictive import PredictiveValues, predictive_values


def test_the_values_are_those_of_a_thousand_patients_counted_by_hand() -> None:
    # Of 1000 patients 100 are ill: 95 of them are found and 5 missed; of the 900 others 90 are called ill.
    values = predictive_values(sensitivity=0.95, specificity=0.90, prevalence=0.10)
    assert values.ppv == pytest.approx(95 / 185)
    assert values.npv == pytest.approx(810 / 815)


def test_the_rarer_the_illness_the_less_a_positive_answer_means() -> None:
    values = [predictive_values(0.98, 0.93, prevalence) for prevalence in (0.05, 0.1, 0.2, 0.5, 0.74)]
    ppvs, npvs = [value.ppv or 0 for value in values], [value.npv or 0 for value in values]
    assert ppvs == sorted(ppvs)
    assert npvs == sorted(npvs, reverse=True)
    assert ppvs[0] < 0.5 < ppvs[-1]


@pytest.mark.parametrize(
    ("sensitivity", "specificity", "expected"),
    [
        (0.0, 1.0, PredictiveValues(None, 0.75)),  # never says pneumonia
        (1.0, 0.0, PredictiveValues(0.25, None)),  # never says normal
        (1.0, 1.0, PredictiveValues(1.0, 1.0)),
    ],
)
def test_an_answer_that_is_never_given_has_no_value(
    sensitivity: float, specificity: float, expected: PredictiveValues
) -> None:
    assert predictive_values(sensitivity, specificity, prevalence=0.25) == expected
