"""`manage.py evaluate` and `manage.py train`, as they are typed."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from tests import pictures
from tests.conftest import SHIPPED_MODEL
from workers.inference.architectures import ARCHITECTURES, Architecture
from workers.inference.card import read_card
from workers.training.dataset import Part, find_cases, split

_PATTERNS = ["NORMAL/IM-{:04}-0001.png", "PNEUMONIA/person{}_virus_1.png", "PNEUMONIA/person{}_bacteria_1.png"]
_DAMAGED = pictures.png(pictures.phantom())[:-5000]


def _put(folder: Path, name: str, data: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three normals and four pneumonias."""
    for number in range(7):
        chest = pictures.phantom(200 + number, 180, seed=number)
        name = f"NORMAL/IM-{number:04}-0001.jpeg" if number < 3 else f"PNEUMONIA/person{number}_virus_1.jpeg"
        _put(tmp_path / "data", name, pictures.jpeg(chest))
    return tmp_path / "data"


def _run(command: str, **options: Any) -> tuple[str, str]:
    """What it wrote to standard output and to standard error."""
    output, errors = StringIO(), StringIO()
    call_command(command, stdout=output, stderr=errors, **options)
    return output.getvalue(), errors.getvalue()


# evaluate


def test_evaluate_prints_every_figure_with_its_interval_and_writes_them_as_json(folder: Path, tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    output, errors = _run("evaluate", data=folder, json=written)
    figures = json.loads(written.read_text())
    names = ["accuracy", "auc", "sensitivity", "specificity", "ece"]
    assert set(figures) == {"n", *names, "threshold", "intervals_95", "unreadable"}
    assert (figures["n"], figures["unreadable"]) == (7, 0)
    assert figures["threshold"] == read_card(SHIPPED_MODEL).threshold
    assert "mobilenet_v2" in output
    assert "on 7 pictures" in output
    lines = {line.split()[0]: line for line in output.splitlines() if line}
    for name in names:
        assert f"{figures[name]:.4f}  (95 % interval" in lines[name]
    assert errors == ""


def test_evaluate_names_what_it_could_not_read_and_leaves_it_out(folder: Path, tmp_path: Path) -> None:
    _put(folder, "PNEUMONIA/person9_virus_1.png", _DAMAGED)
    written = tmp_path / "figures.json"
    _, errors = _run("evaluate", data=folder, json=written)
    assert "person9_virus_1.png" in errors
    assert "damaged" in errors
    figures = json.loads(written.read_text())
    assert (figures["n"], figures["unreadable"]) == (7, 1)


def test_evaluate_of_a_part_measures_the_patients_that_the_models_own_split_put_there(
    folder: Path, tmp_path: Path
) -> None:
    for number in range(60):
        name = f"NORMAL/IM-1{number:03}-0001.png" if number % 2 else f"PNEUMONIA/person{number}_bacteria_1.png"
        _put(folder, name, pictures.png(pictures.phantom(120, 110, seed=number)))
    seed = read_card(SHIPPED_MODEL).training["split"]["seed"]
    expected = split(find_cases(folder), seed)[Part.HOLDOUT]
    assert len({case.is_pneumonia for case in expected}) == 2
    written = tmp_path / "figures.json"
    _run("evaluate", data=folder, part="holdout", json=written)
    assert json.loads(written.read_text())["n"] == len(expected) < 30


def test_evaluate_of_a_folder_of_another_layout_says_what_is_missing(tmp_path: Path) -> None:
    _put(tmp_path, "NORMAL/x.png", b"")
    with pytest.raises(CommandError, match="PNEUMONIA/ has none"):
        _run("evaluate", data=tmp_path)


def test_evaluate_with_a_model_that_is_not_there_says_so(folder: Path) -> None:
    with pytest.raises(CommandError, match="no readable model card"):
        _run("evaluate", data=folder, model="no_such_model")


def test_evaluate_where_no_picture_of_a_class_can_be_read_says_so(tmp_path: Path) -> None:
    _put(tmp_path, "NORMAL/IM-0001-0001.png", pictures.png(pictures.phantom()))
    _put(tmp_path, "PNEUMONIA/person1_virus_1.png", _DAMAGED)
    with pytest.raises(CommandError, match=r"PNEUMONIA|pneumonia"):
        _run("evaluate", data=tmp_path)


def test_evaluate_measures_the_model_of_the_site_unless_told_another(
    folder: Path, tmp_path: Path, settings: LazySettings
) -> None:
    settings.CXR_MODELS_DIR = tmp_path / "models"
    with pytest.raises(CommandError, match=f"models/{settings.CXR_MODEL}"):
        _run("evaluate", data=folder)
    with pytest.raises(CommandError, match="models/other"):
        _run("evaluate", data=folder, model="other")


# train


@pytest.fixture
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """An architecture with which even a run that ought to be refused is over at once."""

    def backbone(weights: Path | None) -> keras.Model:
        if weights is not None:
            raise FileNotFoundError(f"No weights at {weights}.")
        pixels = keras.Input((32, 32, 3))
        return keras.Model(pixels, keras.layers.Conv2D(4, 8, strides=8, activation="relu")(pixels))

    monkeypatch.setitem(ARCHITECTURES, "tiny", Architecture("tiny", 32, backbone))


def _nothing(folder: Path) -> None:
    folder.rmdir()


def _no_normals(folder: Path) -> None:
    _put(folder, "PNEUMONIA/person1_virus_1.png", pictures.png(pictures.phantom()))


def _a_damaged_picture(folder: Path) -> None:
    _names(folder, _PATTERNS)
    for path in folder.rglob("*virus*"):
        path.write_bytes(_DAMAGED)


def _pneumonias_of_unknown_kind(folder: Path) -> None:
    _names(folder, ["NORMAL/IM-{:04}-0001.png", "PNEUMONIA/case{}.png"])


def _a_handful_of_patients(folder: Path) -> None:
    """Too few for each part to have some of both classes."""
    for name in ("NORMAL/IM-0003-0001.png", "PNEUMONIA/person1_virus_1.png", "PNEUMONIA/person1_bacteria_1.png"):
        _put(folder, name, pictures.png(pictures.phantom(100, 100)))


def _names(folder: Path, patterns: list[str]) -> None:
    for number in range(40):
        level = np.full((100, 100), 20 + number, np.uint8)
        for pattern in patterns:
            _put(folder, pattern.format(number), pictures.png(level))


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_nothing, "NORMAL/ has none"),
        (_no_normals, "NORMAL/ has none"),
        (_a_damaged_picture, "virus_1.png"),
        (_pneumonias_of_unknown_kind, "PNEUMONIA"),
        (_a_handful_of_patients, "patients"),
    ],
)
def test_train_on_a_bad_folder_says_what_is_wrong_with_it(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    spoil(data)
    with pytest.raises(CommandError) as caught:
        _run("train", data=data, architecture="tiny", out=tmp_path / "out", epochs=1)
    assert words in str(caught.value)


@pytest.mark.usefixtures("_tiny")
def test_train_with_starting_weights_that_are_not_there_says_so(tmp_path: Path) -> None:
    _names(tmp_path, _PATTERNS)
    with pytest.raises(CommandError, match="No weights at"):
        _run(
            "train",
            data=tmp_path,
            architecture="tiny",
            out=tmp_path / "out",
            epochs=1,
            backbone_weights=tmp_path / "none.h5",
        )
