"""`manage.py train`, as it is typed."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from django.core.management import CommandError, call_command

from tests import pictures
from workers.inference.architectures import ARCHITECTURES, Architecture
from workers.training.recipes import Stage

_PATTERNS = ["NORMAL/IM-{:04}-0001.png", "PNEUMONIA/person{}_virus_1.png", "PNEUMONIA/person{}_bacteria_1.png"]
_DAMAGED = pictures.png(pictures.phantom())[:-5000]


def _put(folder: Path, name: str, data: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _run(command: str, **options: Any) -> tuple[str, str]:
    """What it wrote to standard output and to standard error."""
    output, errors = StringIO(), StringIO()
    call_command(command, stdout=output, stderr=errors, **options)
    return output.getvalue(), errors.getvalue()


@pytest.fixture
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """An architecture with which even a run that ought to be refused is over at once."""

    def backbone(weights: Path | None) -> keras.Model:
        if weights is not None:
            raise FileNotFoundError(f"No weights at {weights}.")
        pixels = keras.Input((None, None, 3))
        last = keras.layers.Conv2D(4, 8, strides=8, activation="relu", name="last")(pixels)
        return keras.Model(pixels, last)

    monkeypatch.setitem(ARCHITECTURES, "tiny", Architecture("tiny", backbone, "last"))


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
        _run("train", data=data, architecture="tiny", out=tmp_path / "out", stages=(Stage(1, 64),))
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
            stages=(Stage(1, 64),),
            backbone_weights=tmp_path / "none.h5",
        )


@pytest.mark.parametrize("text", ["20", "20x", "x224", "20x224,", "0x224", "20x0", "a lot"])
def test_train_says_how_stages_are_written_where_they_are_not(tmp_path: Path, text: str) -> None:
    with pytest.raises(CommandError, match="such as 26x160,4x224"):
        call_command("train", f"--data={tmp_path}", f"--out={tmp_path}", f"--stages={text}")
