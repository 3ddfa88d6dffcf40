"""A whole run: split, fitted, its gate fitted, calibrated, packaged, measured, served."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.workers.training.tiny import RECIPE, SIZE, TINY, make_data
from workers.inference.architectures import ARCHITECTURES
from workers.inference.card import Card, check_files, read_card
from workers.inference.engines import load_engine
from workers.inference.preprocess import PREPROCESSING_VERSION
from workers.inference.reader import Reader
from workers.training.calibration import calibrate
from workers.training.dataset import Part, find_cases, load, split
from workers.training.evaluation import evaluate
from workers.training.recipes import Stage
from workers.training.run import Sources, _labels, _score, train


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def packaged(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a whole run leaves behind."""
    out = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "tiny", TINY)  # the heatmap's check builds it anew
        train(
            sources=Sources(data),
            architecture=TINY,
            recipe=replace(RECIPE, stages=(Stage(6, SIZE),)),
            out=out,
            version="0.0.1",
        )
    return out


@pytest.fixture
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARCHITECTURES, "tiny", TINY)


# A whole run


def test_a_run_to_the_end_leaves_a_card_that_speaks_of_its_files(packaged: Path, data: Path) -> None:
    card = read_card(packaged)
    check_files(packaged, card)
    assert (card.name, card.version, card.architecture, card.input_size) == ("tiny", "0.0.1", "tiny", SIZE)
    assert card.preprocessing_version == PREPROCESSING_VERSION
    assert card.training["recipe"]["stages"] == [{"epochs": 6, "size": SIZE}]
    parts = split(find_cases(data), RECIPE.split_seed)
    for part, cases in parts.items():
        assert card.training["split"][part]["images"] == len(cases)
    for name in ("validation", "holdout"):
        assert {"accuracy", "auc", "sensitivity", "specificity", "ece"} <= set(card.figures[name])
        assert all(set(figure) == {"value", "low", "high"} for figure in card.figures[name].values())


def test_the_card_says_how_its_answers_are_spread_over_validation_patients(served: Reader, data: Path) -> None:
    said = served.card.figures["distribution"]
    counts = served.card.training["split"]["validation"]
    assert sum(said["pneumonia"]) == counts["pneumonia"]
    assert sum(said["normal"]) == counts["images"] - counts["pneumonia"]
    assert len(said["normal"]) == len(said["edges"]) + 1


@pytest.fixture(params=["openvino", "tensorflow"])
def served(request: pytest.FixtureRequest, packaged: Path, _known: None) -> Reader:
    return Reader(packaged, request.param)


def test_all_limits_are_those_of_the_validation_patients_and_of_nobody_else(served: Reader, data: Path) -> None:
    """Chosen anew through the engine that serves, from validation patients alone."""
    card = served.card
    cases = split(find_cases(data), RECIPE.split_seed)[Part.VALIDATION]
    engine = load_engine(served.folder, card, served.engine)
    chosen = calibrate(_score(engine, load(cases, SIZE), _labels(cases)))
    assert 0.1 < chosen.temperature < 15  # found, and not where the search ends
    assert card.temperature == pytest.approx(chosen.temperature, rel=0.02)
    assert card.threshold == pytest.approx(chosen.threshold, abs=0.03)
    assert card.band.low == pytest.approx(chosen.band.low, abs=0.05)
    assert card.band.high == pytest.approx(chosen.band.high, abs=0.05)
    assert card.heatmap.floor == pytest.approx(chosen.heatmap.floor, rel=0.05)


def test_the_figures_on_the_card_are_those_of_the_reader_that_serves(served: Reader, data: Path) -> None:
    measured = evaluate(served, split(find_cases(data), RECIPE.split_seed)[Part.HOLDOUT]).figures
    figures = served.card.figures["holdout"]
    assert measured["accuracy"].value == pytest.approx(figures["accuracy"]["value"])
    assert measured["auc"].value == pytest.approx(figures["auc"]["value"], abs=1e-3)
    assert measured["accuracy"].value > 0.7  # dark against bright: it has learned


def test_a_card_can_be_read_back_as_it_was_given(packaged: Path) -> None:
    card = read_card(packaged)
    assert Card.model_validate(card.model_dump(mode="json")) == card
