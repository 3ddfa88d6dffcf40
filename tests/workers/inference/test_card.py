"""A model is served with its own card, its own files, and nothing else."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import SHIPPED_MODEL, SHIPPED_MODELS
from workers.inference import selfcheck
from workers.inference.architectures import ARCHITECTURES
from workers.inference.arrays import read_arrays
from workers.inference.card import CARD_NAME, GATE_NAME, OPENVINO_NAME, WEIGHTS_NAME, ModelError, check_files, read_card
from workers.inference.network import CLASSES
from workers.inference.preprocess import PREPROCESSING_VERSION
from workers.inference.reader import Reader


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped model, to be spoilt."""
    return Path(shutil.copytree(SHIPPED_MODEL, tmp_path / "model"))


def _rewrite(folder: Path, **facts: Any) -> None:
    path = folder / CARD_NAME
    card = json.loads(path.read_text()) | facts
    path.write_text(json.dumps({name: value for name, value in card.items() if value is not None}))


# The shipped cards


@pytest.fixture(params=SHIPPED_MODELS, ids=lambda folder: folder.name)
def shipped(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_a_shipped_cards_hashes_are_those_of_its_files(shipped: Path) -> None:
    card = read_card(shipped)
    assert set(card.files) == {WEIGHTS_NAME, OPENVINO_NAME, "reader.bin", GATE_NAME}
    for name, expected in card.files.items():
        assert hashlib.sha256((shipped / name).read_bytes()).hexdigest() == expected
    assert card.weights_sha256 == card.files[WEIGHTS_NAME]
    check_files(shipped, card)


def test_a_shipped_card_speaks_of_this_version_of_the_product(shipped: Path) -> None:
    card = read_card(shipped)
    assert card.name == shipped.name
    assert card.preprocessing_version == PREPROCESSING_VERSION
    assert card.architecture in ARCHITECTURES
    assert card.classes == list(CLASSES)


@pytest.mark.parametrize("part", ["validation", "holdout"])
def test_shipped_figures_carry_intervals_around_them(shipped: Path, part: str) -> None:
    figures = read_card(shipped).figures[part]
    assert {"accuracy", "auc", "sensitivity", "specificity", "ece", "specificity_at_98_sensitivity"} <= set(figures)
    for figure in figures.values():
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
        assert figure["low"] < figure["high"]


def test_shipped_figures_say_how_steady_the_answers_are_and_what_the_gate_refuses(shipped: Path) -> None:
    figures = read_card(shipped).figures
    assert {"flipped", "flipped_jpeg_50", "flipped_smaller_by_20", "flipped_larger_by_20"} <= set(figures["stability"])
    assert figures["gate"]["radiographs_refused"]["value"] < 0.02
    assert figures["gate"]["others_kept_from_fitting_refused"]["value"] > 0.9
    assert set(figures["heatmap"]) >= {"deletion_gain", "insertion_gain", "similarity_when_randomised"}


def test_a_shipped_card_says_what_the_model_is_for_and_what_it_was_trained_on(shipped: Path) -> None:
    card = read_card(shipped)
    assert "Not a diagnosis" in card.intended_use
    assert card.limits
    split = card.training["split"]
    assert "patient" in split["by"]
    assert min(split[part]["patients"] for part in ("train", "validation", "holdout")) > 0
    assert "validation" in card.training["chosen_on"]


# A spoilt folder


@pytest.mark.parametrize("name", [WEIGHTS_NAME, OPENVINO_NAME, "reader.bin", GATE_NAME])
def test_a_file_that_was_altered_by_a_single_bit_is_refused(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(ModelError, match=f"{name} is not the one its card speaks of"):
        Reader(folder)


@pytest.mark.parametrize("name", [WEIGHTS_NAME, OPENVINO_NAME, "reader.bin", GATE_NAME])
def test_a_file_that_is_missing_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name} cannot be read"):
        Reader(folder)


@pytest.mark.parametrize("name", [WEIGHTS_NAME, OPENVINO_NAME, "reader.bin", GATE_NAME])
def test_a_file_whose_hash_is_not_on_the_card_is_not_opened(folder: Path, name: str) -> None:
    card = read_card(folder)
    _rewrite(folder, files={other: sha256 for other, sha256 in card.files.items() if other != name})
    with pytest.raises(ModelError, match=f"does not say what {name} must be"):
        Reader(folder)


def test_a_card_that_speaks_of_two_sets_of_weights_is_refused(folder: Path) -> None:
    _rewrite(folder, weights_sha256="0" * 64)
    with pytest.raises(ModelError, match=f"does not say what {WEIGHTS_NAME} must be"):
        Reader(folder)


class _Trap:
    """What runs when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('code out of a file was run')",)


@pytest.mark.parametrize("name", [WEIGHTS_NAME, GATE_NAME])
def test_arrays_with_code_in_them_are_refused_and_the_code_is_not_run(folder: Path, name: str) -> None:
    """Even where the hash is right."""
    np.savez(folder / name, arr_0=np.array([_Trap()], dtype=object))
    with pytest.raises(ModelError, match="cannot be loaded"):
        read_arrays(folder / name)


def test_what_serves_loads_no_file_that_can_hold_code() -> None:
    """Neither a pickle nor a network of Keras's own format, whose layers may be functions."""
    code = "\n".join(path.read_text() for path in (Path(__file__).parents[3] / "workers" / "inference").rglob("*.py"))
    assert "allow_pickle=False" in code
    for word in ("import pickle", "allow_pickle=True", "load_model", "unsafe", "joblib", "cloudpickle", "dill"):
        assert word not in code, word


def test_a_folder_without_a_card_is_refused(folder: Path) -> None:
    (folder / CARD_NAME).unlink()
    with pytest.raises(ModelError, match="no readable model card"):
        Reader(folder)


def test_a_model_prepared_for_other_pictures_is_refused(folder: Path) -> None:
    _rewrite(folder, preprocessing_version="bilinear-0")
    with pytest.raises(ModelError, match=f"bilinear-0; this version prepares pictures as {PREPROCESSING_VERSION}"):
        Reader(folder)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"threshold": None}, id="no threshold"),
        pytest.param({"threshold": 1.5}, id="a threshold that is no probability"),
        pytest.param({"temperature": 0}, id="a temperature of zero"),
        pytest.param({"heatmap": {"floor": -1, "border_share": 0.5}}, id="a floor below zero"),
        pytest.param({"band": {"low": 0.99, "high": 0.995}}, id="a band beside the threshold"),
        pytest.param({"unsteady": {"low": 0.4999, "high": 0.9999}}, id="checked less far than it is unsure"),
        pytest.param({"gate": {"accepted_probability": 2, "distance": 1}}, id="a gate that refuses everything"),
        pytest.param({"input_size": 0}, id="no input"),
        pytest.param({"weights_sha256": "0123"}, id="half a hash"),
        pytest.param({"accuracy": 1.0}, id="a figure where none belongs"),
    ],
)
def test_a_card_that_is_not_valid_is_refused(folder: Path, facts: dict[str, Any]) -> None:
    _rewrite(folder, **facts)
    with pytest.raises(ModelError, match="is not valid"):
        read_card(folder)


def test_a_card_that_is_no_json_is_refused(folder: Path) -> None:
    (folder / CARD_NAME).write_text("threshold: 0.5")
    with pytest.raises(ModelError, match="is not valid"):
        read_card(folder)


# The check before a worker starts


def test_the_selfcheck_passes_the_shipped_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert selfcheck.main("openvino", str(SHIPPED_MODEL)) == 0
    assert "mobilenet_v2" in capsys.readouterr().out


def test_the_selfcheck_fails_a_spoilt_model_and_says_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "reader.bin").write_bytes(b"")
    assert selfcheck.main("openvino", str(folder)) == 1
    assert "reader.bin is not the one its card speaks of" in capsys.readouterr().err
