"""Collecting negatives: pictures of a kind come out of the packages' files, each once, the same ones each time."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from django.core.management import CommandError, call_command
from numpy.typing import NDArray

from tests import pictures
from tests.workers.training.test_volumes import invesalius
from workers.training import collecting
from workers.training.collecting import SOURCES, Source, collect
from workers.training.negatives import load_negatives

_WALLS = "usr/share/backgrounds/"


def _noise(seed: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def _blocks(seed: int, height: int = 300, width: int = 400) -> NDArray[np.uint8]:
    """A coarse pattern that survives being shrunk."""
    return np.asarray(cv2.resize(_noise(seed, 6, 8, 3), (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _write(packages: Path, name: str, picture: NDArray[np.uint8]) -> Path:
    path = packages / name
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = _noise(0, *picture.shape) // 16  # so that no file is too small to be wanted
    path.write_bytes(pictures.png((picture // 2 + noise).astype(np.uint8)))
    return path


def _collected(tmp_path: Path, *sources: Source, monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.uint8]]:
    monkeypatch.setattr(collecting, "SOURCES", sources)
    collect(tmp_path / "packages", tmp_path / "out")
    paths = sorted((tmp_path / "out").rglob("*.jpg"))
    return [np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.uint8) for path in paths]


def test_each_kind_gets_a_folder_that_training_can_load(tmp_path: Path) -> None:
    for number in range(3):
        _write(tmp_path / "packages", f"{_WALLS}{number}.png", _blocks(number))
    _write(tmp_path / "packages", "usr/share/tuxpaint/stamps/a/b.png", _blocks(9))
    counts = collect(tmp_path / "packages", tmp_path / "out")
    assert counts["object"] == 1
    assert counts["photo"] > 3
    assert counts["radiograph_limb"] == 0
    loaded = [kind for kind, _ in load_negatives(tmp_path / "out")]
    assert {kind: loaded.count(kind) for kind in counts} == counts


def test_the_same_packages_give_the_same_pictures(tmp_path: Path) -> None:
    for number in range(5):
        _write(tmp_path / "packages", f"{_WALLS}{number}.png", _blocks(number))
    first, again = tmp_path / "first", tmp_path / "again"
    assert collect(tmp_path / "packages", first) == collect(tmp_path / "packages", again)
    for path in first.rglob("*.jpg"):
        assert path.read_bytes() == (again / path.relative_to(first)).read_bytes()


def test_twins_blanks_strips_and_scraps_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = tmp_path / "packages"
    _write(packages, "a.png", _blocks(1))
    _write(packages, "twin.png", _blocks(1))
    _write(packages, "blank.png", np.full((300, 400, 3), 90, np.uint8))
    _write(packages, "strip.png", _blocks(2, 90, 400))
    (packages / "scrap.png").write_bytes(b"too small to be a picture")
    (packages / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(9000))
    (packages / "text.txt").write_bytes(b"a" * 9000)
    (packages / "link.png").symlink_to(_write(tmp_path, "elsewhere.png", _blocks(3)))
    assert len(_collected(tmp_path, Source("any", ("*",), 99), monkeypatch=monkeypatch)) == 1


def test_pictures_are_brought_to_a_handy_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path / "packages", "large.png", _blocks(1, 900, 1200))
    _write(tmp_path / "packages", "small.png", _blocks(2, 60, 80))
    found = _collected(tmp_path, Source("any", ("*",), 99), monkeypatch=monkeypatch)
    assert sorted(picture.shape[:2] for picture in found) == [(100, 133), (384, 512)]


def test_no_more_are_taken_than_were_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        _write(tmp_path / "packages", f"{number}.png", _blocks(number))
    assert len(_collected(tmp_path, Source("any", ("*",), 3), monkeypatch=monkeypatch)) == 3


def test_what_is_see_through_is_laid_on_a_plain_ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opaque = np.zeros((300, 400), np.uint8)
    opaque[:, :200] = 255
    data = pictures.png(np.dstack([_noise(1, 300, 400, 3) // 2, opaque]))
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "a.png").write_bytes(data)
    (found,) = _collected(tmp_path, Source("any", ("*",), 9), monkeypatch=monkeypatch)
    assert found[:, 210:].std() < 2
    assert found[:, :190].std() > 20


@pytest.mark.parametrize(
    ("views", "count"),
    [(collecting._frames, 1), (collecting._turned_parts, 60)],
    ids=["the picture of a DICOM file", "parts of it and of its negative"],
)
def test_dicom_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, views: Any, count: int) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "a.dcm").write_bytes(pictures.dicom(pictures.phantom(300, 260)))
    found = _collected(tmp_path, Source("any", ("*.dcm",), 99, views), monkeypatch=monkeypatch)
    assert len(found) > 0.9 * count
    assert all(picture.shape == (260, 300) for picture in found)


@pytest.mark.parametrize("views", [collecting._computed, collecting._looked_through])
def test_tomograms_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, views: Any) -> None:
    (tmp_path / "packages").mkdir()
    coarse = np.random.default_rng(0).integers(-1000, 1500, (6, 6, 6))
    values = coarse.repeat(8, axis=0).repeat(8, axis=1).repeat(8, axis=2).astype(np.int16)
    values[0] += _noise(5, 48, 48)  # not too small to be wanted
    invesalius(tmp_path / "packages" / "a.inv3", (values + _noise(6, 48, 48, 48) % 8).astype(np.int16))
    found = _collected(tmp_path, Source("any", ("*.inv3",), 99, views), monkeypatch=monkeypatch)
    assert len(found) > 5


def test_no_pattern_can_reach_the_chest_radiographs_of_the_samples() -> None:
    """RG1 of NEMA's samples is a chest; it lies beside the leg that is wanted."""
    patterns = {pattern for source in SOURCES for pattern in source.patterns if "data_store" in pattern}
    assert patterns
    assert all("RG1" not in pattern and "*" not in pattern.rpartition("/")[2] for pattern in patterns)


# The command


def test_the_command_says_what_it_found_and_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(tmp_path / "packages", f"{_WALLS}1.png", _blocks(1))
    with pytest.raises(
        CommandError, match=r"Nothing was found for object, .*radiograph_limb.* unpack those that are missing"
    ):
        call_command("collect_negatives", tmp_path / "packages", out=tmp_path / "out")
    assert "photo" in capsys.readouterr().out


def test_the_command_mixes_nothing_into_a_folder_that_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.jpg").write_bytes(b"")
    with pytest.raises(CommandError, match="is not empty"):
        call_command("collect_negatives", tmp_path, out=tmp_path / "out")
