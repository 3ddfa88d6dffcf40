"""Both engines give the same numbers, for one picture and for many, in the order in which they came."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from diagnoses.imaging.decode import decode
from tests import pictures
from tests.conftest import SHIPPED_MODEL, SHIPPED_MODELS
from workers.inference import engines
from workers.inference.card import WEIGHTS_NAME, ModelError, read_card
from workers.inference.engines import Engine, RawReadings, choose_engine, load_engine
from workers.inference.engines import tensorflow as tensorflow_engine
from workers.inference.engines.tensorflow import TensorFlowEngine
from workers.inference.preprocess import preprocess

_ENGINES = ["openvino", "tensorflow"]


@cache
def _engine(name: str, folder: Path = SHIPPED_MODEL) -> Engine:
    return load_engine(folder, read_card(folder), name)


@cache
def _batch() -> NDArray[np.uint8]:
    chests = [preprocess(pictures.phantom(280 + 40 * seed, 300, seed), 224) for seed in range(4)]
    cloudy = chests[0].copy()
    cloudy[60:200, 30:110] = 190
    flat = np.full((224, 224), 128, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (224, 224)).astype(np.uint8)
    return np.stack([*chests, cloudy, flat, noise, 255 - chests[0], np.zeros_like(flat)])


@cache
def _answers(name: str) -> RawReadings:
    return _engine(name).read(_batch())


def _assert_same(one: RawReadings, other: RawReadings, tolerance: float) -> None:
    np.testing.assert_allclose(one.scores, other.scores, atol=tolerance)
    np.testing.assert_allclose(one.attention, other.attention, atol=tolerance)
    np.testing.assert_allclose(one.features, other.features, atol=10 * tolerance)


@pytest.mark.parametrize("folder", SHIPPED_MODELS, ids=lambda folder: folder.name)
def test_the_engines_agree_on_scores_and_attention(folder: Path) -> None:
    size = read_card(folder).input_size
    batch = np.stack([preprocess(picture, size) for picture in _batch()])
    answers = _engine("tensorflow", folder).read(batch)
    assert np.ptp(answers.scores) > 1  # the pictures differ, so agreement means something
    assert answers.attention.max() > 0.05
    _assert_same(_engine("openvino", folder).read(batch), answers, 1e-3)


@pytest.mark.parametrize("folder", SHIPPED_MODELS, ids=lambda folder: folder.name)
def test_the_engines_agree_on_a_real_radiograph(folder: Path) -> None:
    samples = Path(pytest.importorskip("data_store").__file__).parent
    radiograph = decode(next(samples.rglob("RG1_UNCR.dcm")).read_bytes()).pixels
    picture = preprocess(radiograph, read_card(folder).input_size)[None]
    _assert_same(_engine("openvino", folder).read(picture), _engine("tensorflow", folder).read(picture), 1e-3)


@pytest.mark.parametrize("name", _ENGINES)
def test_a_batch_gives_what_its_pictures_give_one_by_one_in_their_order(name: str) -> None:
    alone = [_engine(name).read(picture[None]) for picture in _batch()]
    answers = _answers(name)
    assert len({round(float(score), 3) for score in answers.scores}) == len(_batch())
    np.testing.assert_allclose(answers.scores, np.concatenate([one.scores for one in alone]), atol=1e-4)
    np.testing.assert_allclose(answers.attention, np.concatenate([one.attention for one in alone]), atol=1e-4)


@pytest.mark.parametrize("name", _ENGINES)
@pytest.mark.parametrize("count", [1, 2, 3, 17])
def test_any_number_of_pictures_gets_as_many_answers(name: str, count: int) -> None:
    raw = _engine(name).read(np.resize(_batch(), (count, 224, 224)))
    assert raw.scores.shape == (count,)
    assert raw.attention.shape == (count, 7, 7)
    assert raw.features.shape[0] == count
    assert raw.scores.dtype == raw.attention.dtype == raw.features.dtype == np.float32


@pytest.mark.parametrize("name", _ENGINES)
def test_an_earlier_answer_is_not_overwritten_by_the_next_batch(name: str) -> None:
    first = _engine(name).read(_batch()[:2])
    kept = first.scores.copy(), first.attention.copy()
    _engine(name).read(_batch()[2:])
    np.testing.assert_array_equal(first.scores, kept[0])
    np.testing.assert_array_equal(first.attention, kept[1])


@pytest.mark.parametrize("name", _ENGINES)
def test_an_engine_says_its_name(name: str) -> None:
    assert _engine(name).name == name


@pytest.mark.parametrize(("has_gpu", "chosen"), [(True, "tensorflow"), (False, "openvino")])
def test_auto_means_tensorflow_where_there_is_a_gpu_and_openvino_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_gpu: bool, chosen: str
) -> None:
    device = tmp_path / "nvidia0"
    if has_gpu:
        device.touch()
    monkeypatch.setattr(engines, "_NVIDIA_DEVICE", device)
    assert choose_engine("auto") == chosen
    assert [choose_engine(name) for name in _ENGINES] == _ENGINES


@dataclass
class _Watched:
    """TensorFlow's graph, and what each call of it was given."""

    graph: Any
    given: list[tuple[int, str]] = field(default_factory=list)

    def __call__(self, batch: Any) -> Any:
        self.given.append((len(batch), batch.dtype.name))
        return self.graph(batch)


def _watched_engine(monkeypatch: pytest.MonkeyPatch, *, has_gpu: bool) -> tuple[Engine, _Watched]:
    """TensorFlow's engine as it is loaded where it finds a GPU, or none; it computes on the processor all the same."""
    watched: list[_Watched] = []
    trace = tf.function

    def function(*args: Any, **kwargs: Any) -> Any:
        traced = trace(*args, **kwargs)
        if "input_signature" not in kwargs:
            return traced  # within Keras
        watched.append(_Watched(traced))
        return watched[-1]

    with monkeypatch.context() as patch:
        patch.setattr(tf, "function", function)
        patch.setattr(tf.config, "list_physical_devices", lambda kind: [object()] if has_gpu and kind == "GPU" else [])
        engine = load_engine(SHIPPED_MODEL, read_card(SHIPPED_MODEL), "tensorflow")
    [graph] = watched
    return engine, graph


def _many(count: int) -> NDArray[np.uint8]:
    return np.resize(_batch(), (count, 224, 224))


def test_on_a_gpu_only_warm_sizes_are_read_and_none_is_traced_again(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, graph = _watched_engine(monkeypatch, has_gpu=True)
    assert graph.given == [(size, "uint8") for size in (1, 2, 4, 8, 16)]  # before the first patient
    graph.given.clear()
    for count in (1, 3, 8, 9, 16, 17, 37):
        engine.read(_many(count))
    assert graph.given == [(size, "uint8") for size in (1, 4, 8, 16, 16, 16, 1, 16, 16, 8)]
    assert graph.graph.experimental_get_tracing_count() == 1


def test_on_a_processor_no_picture_is_read_that_nobody_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, graph = _watched_engine(monkeypatch, has_gpu=False)
    for count in (3, 17):
        engine.read(_many(count))
    assert graph.given == [(3, "uint8"), (17, "uint8")]
    assert graph.graph.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("folder", SHIPPED_MODELS, ids=lambda folder: folder.name)
def test_padding_and_pieces_change_no_answer(folder: Path) -> None:
    card = read_card(folder)
    batch = np.stack([preprocess(picture, card.input_size) for picture in _batch()])
    padded, plain = TensorFlowEngine(folder, card, (1, 2, 4)), _engine("tensorflow", folder)
    for count in range(1, len(batch) + 1):  # up to two whole pieces and one of a single picture
        answers = padded.read(batch[:count])
        assert len(answers.scores) == len(answers.attention) == len(answers.features) == count
        _assert_same(answers, plain.read(batch[:count]), 1e-4)


def test_tensorflow_builds_its_network_once_and_not_for_each_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = _engine("tensorflow")

    def build(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was built again")

    monkeypatch.setattr(tensorflow_engine, "build_classifier", build)
    monkeypatch.setattr(tensorflow_engine, "build_reader", build)
    with pytest.raises(AssertionError, match="built again"):
        load_engine(SHIPPED_MODEL, read_card(SHIPPED_MODEL), "tensorflow")  # loading is where it is built
    assert len(engine.read(_batch()[:2]).scores) == 2


def test_a_model_that_openvino_cannot_load_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "reader.xml").write_text("this is no network")
    with pytest.raises(ModelError, match="OpenVINO cannot load"):
        load_engine(tmp_path, read_card(SHIPPED_MODEL), "openvino")


def test_weights_that_tensorflow_cannot_load_are_a_model_error(tmp_path: Path) -> None:
    (tmp_path / WEIGHTS_NAME).write_bytes(b"these are no weights")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_engine(tmp_path, read_card(SHIPPED_MODEL), "tensorflow")


def test_an_unknown_architecture_is_a_model_error_for_tensorflow() -> None:
    card = read_card(SHIPPED_MODEL).model_copy(update={"architecture": "resnet_9000"})
    with pytest.raises(ModelError, match="resnet_9000"):
        load_engine(SHIPPED_MODEL, card, "tensorflow")
