"""What is packaged takes two bytes a weight, and answers as the network that it was made of."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.conftest import SHIPPED_MODEL
from workers.inference.architectures import ARCHITECTURES
from workers.inference.card import OPENVINO_NAME, WEIGHTS_NAME
from workers.inference.engines.openvino import OpenVinoEngine
from workers.inference.network import build_classifier, build_reader, load_weights
from workers.training.folding import fold_and_round
from workers.training.package import export

_SIZE = 96


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_both_files_hold_half_the_bytes_and_openvino_answers_as_before(name: str, tmp_path: Path) -> None:
    architecture = ARCHITECTURES[name]
    keras.utils.set_random_seed(1)
    classifier = build_classifier(architecture)
    load_weights(classifier, SHIPPED_MODEL.with_name(name) / WEIGHTS_NAME)  # fresh ones answer alike to everything
    fold_and_round(classifier)
    reader = build_reader(classifier, architecture.gate_layer, _SIZE, mirrored=False)
    export(classifier, reader, tmp_path)

    weights = sum(weight.size for weight in classifier.get_weights())
    for stored in (WEIGHTS_NAME, OPENVINO_NAME.replace(".xml", ".bin")):
        assert 2 * weights * 0.9 < (tmp_path / stored).stat().st_size < 2 * weights * 1.1

    pixels = np.random.default_rng(0).integers(0, 256, (4, _SIZE, _SIZE), np.uint8)
    pixels[:2] //= 4
    expected = reader(pixels[..., None].astype(np.float32))
    assert np.ptp(np.asarray(expected["score"])) > 0.1  # there is something to compare
    read = OpenVinoEngine(tmp_path).read(pixels)
    for part in ("score", "attention", "features"):
        reference = np.asarray(expected[part])
        answered = read.scores if part == "score" else getattr(read, part)
        np.testing.assert_allclose(answered, reference, rtol=1e-4, atol=1e-4 * np.abs(reference).max())
