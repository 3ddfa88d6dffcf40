"""What is found in the models' cards, and which version a name stands for."""

from datetime import UTC, datetime

import pytest

from diagnoses.models import ModelVersion
from diagnoses.models.registry import Standing
from diagnoses.selectors.cards import figures_of, find_model_version, predictive_at
from diagnoses.selectors.predictive import predictive_values
from tests.diagnoses.factory import make_model_version

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_a_name_alone_stands_for_the_live_version_even_where_a_newer_one_is_shipped(
    model_version: ModelVersion,
) -> None:
    make_model_version(version="2.0.0")
    assert find_model_version("mobilenet_v2") == model_version


def test_a_name_alone_stands_for_the_newest_that_is_shipped_where_another_model_is_live(
    model_version: ModelVersion,
) -> None:
    old, new = make_model_version("xception", "1.9.0"), make_model_version("xception", "1.10.0")
    make_model_version("xception", "2.0.0", available=False)
    assert find_model_version("xception") == new
    ModelVersion.objects.filter(pk=old.pk).update(registered_at=NOON)
    ModelVersion.objects.filter(pk=new.pk).update(registered_at=NOON)
    assert find_model_version("xception") == new


def test_a_name_with_a_version_stands_for_that_one_shipped_or_not(model_version: ModelVersion) -> None:
    gone = make_model_version("gone", "1.0.0", available=False)
    assert find_model_version("gone@1.0.0") == gone


@pytest.mark.parametrize("wanted", ["", "\0", "@", "@1.0.0", "gone", "mobilenet_v2@9", "mobilenet_v2@1.0.0@"])
def test_what_names_no_version_is_not_found(model_version: ModelVersion, wanted: str) -> None:
    make_model_version("gone", "1.0.0", available=False)
    with pytest.raises(ModelVersion.DoesNotExist):
        find_model_version(wanted)


def test_a_figure_that_is_none_is_left_out(model_version: ModelVersion) -> None:
    whole = {"value": 0.9, "low": 0.8, "high": 0.95}
    holdout = {"accuracy": whole, "note": "measured in March", "auc": {"value": 0.9}, "ece": whole | {"low": None}}
    version = make_model_version("odd", "1.0.0", figures={"holdout": holdout})
    assert list(figures_of(version, "holdout")) == ["accuracy"]
    assert figures_of(version, "gate") == {}


def test_predictive_values_come_from_the_held_out_figures(model_version: ModelVersion) -> None:
    figures = {
        "validation": {name: {"value": 0.99, "low": 0.9, "high": 1.0} for name in ("sensitivity", "specificity")},
        "holdout": {
            "sensitivity": {"value": 0.9, "low": 0.8, "high": 0.95},
            "specificity": {"value": 0.8, "low": 0.7, "high": 0.9},
        },
    }
    version = make_model_version("figured", "1.0.0", figures=figures)
    assert predictive_at(version, 0.1) == predictive_values(0.9, 0.8, 0.1)
    assert predictive_at(version, None) is None
    del version.card["figures"]["holdout"]["specificity"]
    assert predictive_at(version, 0.1) is None


def test_the_live_version_counts_by_its_standing_and_not_by_its_age(model_version: ModelVersion) -> None:
    newest = make_model_version(version="3.0.0")
    ModelVersion.objects.filter(pk=model_version.pk).update(standing=Standing.CANDIDATE)
    assert find_model_version("mobilenet_v2") == newest
