"""What runs a network. An engine's module is imported only when it is chosen: TensorFlow alone takes seconds."""

from importlib import import_module
from pathlib import Path

from workers.inference.card import Card
from workers.inference.engines.base import Engine, RawReadings

_MODULES = {"openvino": "workers.inference.engines.openvino", "tensorflow": "workers.inference.engines.tensorflow"}
_NVIDIA_DEVICE = Path("/dev/nvidia0")


def choose_engine(wanted: str) -> str:
    """The engine's name for `auto`, `openvino` or `tensorflow`: TensorFlow where there is a GPU, else OpenVINO."""
    if wanted == "auto":
        return "tensorflow" if _NVIDIA_DEVICE.exists() else "openvino"
    return wanted


def load_engine(folder: Path, card: Card, wanted: str) -> Engine:
    """An engine with the model of `folder` in it."""
    engine: Engine = import_module(_MODULES[choose_engine(wanted)]).load(folder, card)
    return engine


__all__ = ["Engine", "RawReadings", "choose_engine", "load_engine"]
