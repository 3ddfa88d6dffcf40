"""Pictures are brought to the network's size by averaging, in serving as in training."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests import pictures
from tests.conftest import SHIPPED_MODEL
from workers.inference import reader as reader_module
from workers.inference.engines import RawReadings
from workers.inference.preprocess import GreyImage, preprocess
from workers.inference.reader import Reader, ReadRequest
from workers.training.dataset import find_cases, load


def _checkerboard(height: int, width: int) -> GreyImage:
    return np.asarray(np.indices((height, width)).sum(axis=0) % 2 * 255, np.uint8)


@pytest.mark.parametrize(("height", "width"), [(2000, 2000), (1500, 2300), (500, 700)])
def test_a_checkerboard_finer_than_the_target_becomes_mid_grey(height: int, width: int) -> None:
    board = _checkerboard(height, width)
    small = preprocess(board, 224).astype(int)
    assert small.mean() == pytest.approx(127.5, abs=1)
    assert np.abs(small - 127.5).max() < 64
    aliased = cv2.resize(board, (224, 224), interpolation=cv2.INTER_NEAREST).astype(int)
    assert np.abs(aliased - 127.5).max() > 127  # what it would be without averaging


def test_shrinking_by_a_whole_number_is_the_mean_of_each_block() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (224 * 4, 224 * 4)).astype(np.uint8)
    means = picture.reshape(224, 4, 224, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(preprocess(picture, 224), means, atol=0.51)


def test_a_picture_of_the_right_size_is_left_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (224, 224)).astype(np.uint8)
    np.testing.assert_array_equal(preprocess(picture, 224), picture)


@pytest.mark.parametrize(
    ("height", "width"), [(100, 120), (100, 1000), (1000, 100), (224, 600), (600, 224), (224, 100), (1955, 1841)]
)
def test_any_proportions_are_stretched_over_the_whole_square(height: int, width: int) -> None:
    across = np.tile(np.linspace(0, 255, width), (height, 1)).astype(np.uint8)
    down = np.tile(np.linspace(0, 255, height)[:, None], (1, width)).astype(np.uint8)
    for picture, axis in ((across, 1), (down, 0)):
        levels = preprocess(picture, 224)
        assert levels.shape == (224, 224)
        assert levels.dtype == np.uint8
        profile = levels.astype(float).mean(axis=1 - axis)
        np.testing.assert_allclose(profile, np.linspace(0, 255, 224), atol=4)


def test_where_one_axis_shrinks_and_the_other_grows_the_shrinking_one_is_averaged() -> None:
    fine_stripes = np.tile(np.array([0, 255], np.uint8), (100, 1000))
    levels = preprocess(fine_stripes, 224).astype(int)
    assert levels.mean() == pytest.approx(127.5, abs=1)
    assert np.abs(levels - 127.5).max() < 32


def test_a_flat_picture_stays_flat_in_every_direction() -> None:
    for shape in ((100, 120), (100, 900), (3000, 150), (2000, 3000)):
        assert set(np.unique(preprocess(np.full(shape, 77, np.uint8), 224))) == {77}


def test_training_and_serving_prepare_the_same_file_to_the_same_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[GreyImage] = []

    class Listening:
        name = "listening"

        def read(self, prepared: GreyImage) -> RawReadings:
            served.extend(prepared)
            count = len(prepared)
            attention = np.zeros((count, 7, 7), np.float32)
            return RawReadings(np.full(count, 50, np.float32), attention, np.zeros((count, 2816), np.float32))

    monkeypatch.setattr(reader_module, "load_engine", lambda *args: Listening())
    chest = pictures.phantom(701, 433)
    files = {
        "NORMAL/IM-0001-0001.jpeg": pictures.jpeg(chest),
        "NORMAL/IM-0002-0001.png": pictures.png(chest[:150, :160]),
        "PNEUMONIA/person1_virus_1.png": pictures.png(chest.astype(np.uint16) * 100),
        "PNEUMONIA/person2_bacteria_2.dcm": pictures.dicom(chest, PhotometricInterpretation="MONOCHROME1"),
    }
    for name, data in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    trained = load(find_cases(tmp_path), 224)
    reader = Reader(SHIPPED_MODEL)
    served.clear()  # the phantom that it warms up with
    reader.read([ReadRequest(data, gate_overridden=True) for data in files.values()])
    np.testing.assert_array_equal(trained, np.stack(served))
