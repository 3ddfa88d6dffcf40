"""What Grad-CAM costs over the bare forward pass, with the engine that serves without a GPU.

The bare network is the shipped one with the score as its only output: what nothing needs any more falls away when it
is compiled. Both are run by the same class, with the same settings and kind of request queue, on the same pictures, in
turns, each going first every other time; the figure is the median of the turns' ratios. The side with Grad-CAM also
makes the picture that is stored. It computes the gate's features, too, so that the true cost is rather smaller.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import openvino
from numpy.typing import NDArray

from diagnoses.imaging.decode import decode
from diagnoses.imaging.heatmap import encode
from tests.bench.bench import MODEL, Bench
from tests.bench.figures import Figures, ratio_of_turns
from tests.bench.files import BATCH, spread
from tests.bench.place import place
from workers.inference.card import OPENVINO_NAME, read_card
from workers.inference.engines import openvino as serving
from workers.inference.preprocess import preprocess

_TURNS = 60
_SCORE = "score"


def measure(bench: Bench) -> Figures:
    size = read_card(MODEL).input_size
    files = spread(bench.files, BATCH)
    return compare(MODEL, np.stack([preprocess(decode(data).pixels, size) for _, data in files]), _TURNS)


def compare(model: Path, pictures: NDArray[np.uint8], turns: int) -> Figures:
    """Both networks on `pictures`, shape (n, size, size), so many times each."""
    with place() as folder:
        _save_bare(model, folder)
        whole, bare = serving.OpenVinoEngine(model), serving.OpenVinoEngine(folder)
    floor = read_card(model).heatmap.floor

    def explain() -> None:
        for attention in whole.read(pictures).attention:
            encode(attention, floor)

    def score() -> None:
        # The engine asks for three outputs by name; this network has one, which stands for all of them.
        with patch.object(serving, "_OUTPUTS", (_SCORE,) * 3):
            bare.read(pictures)

    for warm in (explain, score):
        warm()
    taken = [_turn(explain, score, is_first=turn % 2 == 0) for turn in range(turns)]
    return {
        "with_grad_cam_over_without": ratio_of_turns(taken),
        "bare_forward_ms_per_image": statistics.median(bare for _, bare in taken) / len(pictures) * 1000,
    }


def _turn(explain: Callable[[], None], score: Callable[[], None], *, is_first: bool) -> tuple[float, float]:
    if is_first:
        return _seconds(explain), _seconds(score)
    bare = _seconds(score)
    return _seconds(explain), bare


def _seconds(act: Callable[[], None]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _save_bare(model: Path, folder: Path) -> None:
    """The shipped network without all that only Grad-CAM and the gate need."""
    whole = openvino.Core().read_model(model / OPENVINO_NAME)
    bare = openvino.Model([whole.output(_SCORE)], whole.get_parameters())
    openvino.save_model(bare, folder / OPENVINO_NAME, compress_to_fp16=False)
