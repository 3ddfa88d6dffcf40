"""From files to answers: one per file, in order, with the card's threshold and temperature."""

import hashlib
import math
from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_info, threadpool_limits

from diagnoses.imaging.errors import ImageError, ImageFault
from tests import pictures
from tests.conftest import SHIPPED_MODEL
from workers.inference import reader as reader_module
from workers.inference.card import ModelError
from workers.inference.engines import RawReadings
from workers.inference.reader import NORMAL, PNEUMONIA, Reader, Reading, ReadRequest, calibrated_probability

_CHEST = pictures.png(pictures.phantom())


@cache
def _reader() -> Reader:
    return Reader(SHIPPED_MODEL, "openvino")


def _requests(files: Sequence[bytes]) -> list[ReadRequest]:
    return [ReadRequest(data) for data in files]


def _readings(reader: Reader, files: Sequence[bytes]) -> list[Reading]:
    readings = [answer for answer in reader.read(_requests(files)) if isinstance(answer, Reading)]
    assert len(readings) == len(files)
    return readings


class _Scripted:
    """An engine that says what it is told, picture after picture."""

    name = "scripted"

    def __init__(self, scores: Sequence[float] = (), attention: float | NDArray[np.float32] = 0.5) -> None:
        self._scores = [0.0, *scores]  # the first is for the phantom that the reader warms up with
        self._attention = np.zeros((7, 7), np.float32)
        inner = slice(1, -1) if np.isscalar(attention) else slice(None)
        self._attention[inner, inner] = attention  # at the border it would be warned of
        self.batches: list[int] = []

    def read(self, prepared: NDArray[np.uint8]) -> RawReadings:
        self.batches.append(len(prepared))
        scores = [self._scores.pop(0) for _ in prepared]
        attention = np.tile(self._attention, (len(scores), 1, 1)).astype(np.float32)
        return RawReadings(np.array(scores, np.float32), attention, np.zeros((len(scores), 4), np.float32))


class _ScriptedGate:
    """A gate that says what it is told, picture after picture, and lets pass what it was told nothing of."""

    def __init__(self, *verdicts: ImageFault | None) -> None:
        self._verdicts = list(verdicts)

    def judge(self, features: NDArray[np.float32]) -> list[ImageFault | None]:
        return [self._verdicts.pop(0) if self._verdicts else None for _ in features]


def _reader_with(
    engine: _Scripted, monkeypatch: pytest.MonkeyPatch, *verdicts: ImageFault | None, refuse_outside_age: bool = False
) -> Reader:
    monkeypatch.setattr(reader_module, "load_engine", lambda *args: engine)
    monkeypatch.setattr(reader_module, "load_gate", lambda *args: _ScriptedGate(*verdicts))
    return Reader(SHIPPED_MODEL, refuse_outside_age=refuse_outside_age)


def _score_at(probability: float) -> float:
    """The raw score that the shipped card turns into this probability."""
    return _reader().card.temperature * math.log(probability / (1 - probability))


# With the shipped model


def test_png_jpeg_and_dicom_of_one_picture_are_read_alike() -> None:
    chest = pictures.phantom()
    from_png, from_jpeg, from_dicom, negative = _readings(
        _reader(),
        [
            pictures.png(chest),
            pictures.jpeg(chest, quality=100),
            pictures.dicom(chest, WindowCenter=128, WindowWidth=256),
            pictures.dicom(255 - chest, WindowCenter=128, WindowWidth=256, PhotometricInterpretation="MONOCHROME1"),
        ],
    )
    assert from_jpeg.score == pytest.approx(from_png.score, abs=0.2)
    assert from_dicom.score == pytest.approx(from_png.score, abs=0.2)
    assert negative.score == pytest.approx(from_dicom.score, abs=0.2)


def test_a_reading_says_where_it_comes_from() -> None:
    (reading,) = _readings(_reader(), [_CHEST])
    assert reading.image_sha256 == hashlib.sha256(_CHEST).hexdigest()
    assert reading.label == (PNEUMONIA if reading.probability >= _reader().card.threshold else NORMAL)
    assert reading.probability == calibrated_probability(reading.score, _reader().card.temperature)
    assert set(reading.timings_ms) == {"decode", "engine"}
    assert min(reading.timings_ms.values()) > 0
    assert _reader().engine == "openvino"
    with Image.open(BytesIO(reading.heatmap), formats=["PNG"]) as heatmap:
        assert (heatmap.size, heatmap.mode) == ((7, 7), "L")


def test_one_bad_file_in_a_batch_does_not_spoil_the_others() -> None:
    other = pictures.png(pictures.phantom(seed=1)[:, ::-1])
    files = [_CHEST, _CHEST[:-5000], other, b"", pictures.dicom(pictures.phantom(), Modality="CT"), _CHEST]
    answers = _reader().read(_requests(files))
    assert [answer.fault if isinstance(answer, ImageError) else "read" for answer in answers] == [
        "read",
        ImageFault.DAMAGED,
        "read",
        ImageFault.UNSUPPORTED_TYPE,
        ImageFault.NOT_A_RADIOGRAPH,
        "read",
    ]
    hashes = [answer.image_sha256 for answer in answers if isinstance(answer, Reading)]
    assert hashes == [hashlib.sha256(data).hexdigest() for data in (_CHEST, other, _CHEST)]
    first, _, last = (answer for answer in answers if isinstance(answer, Reading))
    assert first.score == pytest.approx(_readings(_reader(), [_CHEST])[0].score, abs=1e-4)
    assert last.score == pytest.approx(first.score, abs=1e-4)


def test_a_decoder_that_fails_in_its_own_way_spoils_no_other_file() -> None:
    huge = bytearray(_CHEST)
    huge[16:24] = (60_000).to_bytes(4, "big") * 2  # more than OpenCV takes, which says so in an exception of its own
    huge[29:33] = crc32(huge[12:29]).to_bytes(4, "big")
    answers = _reader().read(_requests([_CHEST, bytes(huge)]))
    assert isinstance(answers[0], Reading)
    assert isinstance(answers[1], ImageError)


def test_no_files_give_no_answers() -> None:
    assert _reader().read([]) == []
    assert [type(answer) for answer in _reader().read(_requests([b"", b"x"]))] == [ImageError, ImageError]


def _overridden(files: Sequence[bytes]) -> list[ReadRequest]:
    return [ReadRequest(data, gate_overridden=True) for data in files]


def test_the_encodings_of_a_real_radiograph_give_the_same_score_to_the_bit_and_the_lossy_one_a_close_one() -> None:
    folder = Path(pytest.importorskip("data_store").__file__).parent
    names = ("UNCR", "J2KR", "UNCI", "J2KI")
    files = [next(folder.rglob(f"RG1_{name}.dcm")).read_bytes() for name in names]
    answers = _reader().read(_overridden(files))  # whether it is a child's chest is not asked here
    readings = [answer for answer in answers if isinstance(answer, Reading)]
    unpacked, reversible, unpacked_lossy, lossy = readings
    assert unpacked.score == reversible.score
    assert unpacked.heatmap == reversible.heatmap
    assert unpacked_lossy.score == lossy.score
    assert lossy.score == pytest.approx(unpacked.score, abs=0.25)


# With an engine that says what it is told


def test_the_label_changes_at_the_cards_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    card = _reader().card
    edge = card.temperature * math.log(card.threshold / (1 - card.threshold))
    checks = [edge] * 6  # both lie so near that variants of their pictures are read, too
    reader = _reader_with(_Scripted([edge - 1e-4, edge + 1e-4, *checks]), monkeypatch)
    below, above = _readings(reader, [_CHEST, _CHEST])
    assert (below.label, above.label) == (NORMAL, PNEUMONIA)
    assert below.probability < card.threshold <= above.probability


def test_the_probability_is_the_sigmoid_of_the_score_over_the_temperature(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = [-3.0, -0.25, 0.0, 1.0, 4.5]
    reader = _reader_with(_Scripted([*scores, *[0.0] * 15]), monkeypatch)
    readings = _readings(reader, [_CHEST] * len(scores))
    assert [reading.score for reading in readings] == scores
    for reading in readings:
        expected = 1 / (1 + math.exp(-reading.score / reader.card.temperature))
        assert reading.probability == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("score", "probability"), [(1e4, 1.0), (-1e4, 0.0), (3e38, 1.0), (-3e38, 0.0)])
def test_a_score_of_any_size_gives_a_probability_without_overflow(
    monkeypatch: pytest.MonkeyPatch, score: float, probability: float
) -> None:
    (reading,) = _readings(_reader_with(_Scripted([score]), monkeypatch), [_CHEST])
    assert reading.probability == probability


def test_a_low_probability_is_given_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that of pneumonia and never the larger one of the two, with which every answer would look sure."""
    (reading,) = _readings(_reader_with(_Scripted([-5.0]), monkeypatch), [_CHEST])
    assert reading.label == NORMAL
    assert reading.probability < 0.01


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, score: float) -> None:
    reader = _reader_with(_Scripted([score]), monkeypatch)
    with pytest.raises(ModelError, match="no finite score"):
        reader.read(_requests([_CHEST]))


def test_a_network_that_gives_no_number_for_a_phantom_is_refused_before_the_first_patient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = _Scripted()
    broken._scores = [math.nan]
    with pytest.raises(ModelError, match="for a phantom"):
        _reader_with(broken, monkeypatch)


def test_the_heatmap_is_dim_where_its_peak_is_below_the_cards_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    floor = _reader().card.heatmap.floor
    for peak, brightness in ((floor / 2, 128), (floor * 2, 255)):
        (reading,) = _readings(_reader_with(_Scripted([50.0], attention=peak), monkeypatch), [_CHEST])
        grey = np.asarray(cv2.imdecode(np.frombuffer(reading.heatmap, np.uint8), cv2.IMREAD_GRAYSCALE))
        assert grey.max() == pytest.approx(brightness, abs=1)
        assert reading.heatmap_peak == pytest.approx(peak, rel=1e-6)


def test_the_model_is_loaded_and_warmed_once_however_much_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    engine = _Scripted([50.0] * 6)

    def load(folder: Path, card: object, wanted: str) -> _Scripted:
        loads.append(wanted)
        return engine

    monkeypatch.setattr(reader_module, "load_engine", load)
    monkeypatch.setattr(reader_module, "load_gate", lambda *args: _ScriptedGate())
    reader = Reader(SHIPPED_MODEL, "openvino")
    assert engine.batches == [1]  # the phantom
    for count in (1, 3, 2):
        reader.read(_requests([_CHEST] * count))
    assert loads == ["openvino"]
    assert engine.batches == [1, 1, 3, 2]


def test_small_products_are_left_to_one_thread() -> None:
    """Threads of their own wait for the next product spinning; beside engine and decoders that cost a third more."""
    with threadpool_limits(limits=2, user_api="blas"):
        Reader(SHIPPED_MODEL, "openvino")
        assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}
