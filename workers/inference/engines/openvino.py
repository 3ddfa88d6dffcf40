"""OpenVINO, for machines without a GPU."""

from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino.properties import hint

from workers.inference.card import OPENVINO_NAME, Card, ModelError
from workers.inference.engines.base import RawReadings

_OUTPUTS = ("score", "attention", "features")


class OpenVinoEngine:
    """Several requests in flight, one picture each, as many as the processor serves best."""

    name = "openvino"

    def __init__(self, folder: Path) -> None:
        # Full precision: on processors with bfloat16 the default would give other numbers than TensorFlow does.
        config: dict[Any, Any] = {
            hint.performance_mode: hint.PerformanceMode.THROUGHPUT,
            hint.inference_precision: openvino.Type.f32,
        }
        try:
            compiled = openvino.Core().compile_model(folder / OPENVINO_NAME, "CPU", config)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot load {folder / OPENVINO_NAME}: {error}") from error
        self._requests = openvino.AsyncInferQueue(compiled)

    def read(self, pictures: NDArray[np.uint8]) -> RawReadings:
        """See `Engine.read`."""
        answers: list[dict[str, NDArray[np.float32]]] = [{} for _ in pictures]

        def keep(request: openvino.InferRequest, index: int) -> None:
            answers[index] = {name: request.get_tensor(name).data.copy() for name in _OUTPUTS}

        self._requests.set_callback(keep)
        for index, picture in enumerate(pictures):
            self._requests.start_async({"pixels": picture[None, ..., None].astype(np.float32)}, index)
        self._requests.wait_all()
        return RawReadings(*(np.concatenate([answer[name] for answer in answers]) for name in _OUTPUTS))


def load(folder: Path, card: Card) -> OpenVinoEngine:
    """The engine with the model of `folder`. Raises ModelError."""
    return OpenVinoEngine(folder)
