"""The networks that the product can train and serve. To add one: a module here, and a line in `ARCHITECTURES`."""

from workers.inference.architectures.base import Architecture
from workers.inference.architectures.mobilenet_v2 import MOBILENET_V2
from workers.inference.architectures.xception import XCEPTION

ARCHITECTURES: dict[str, Architecture] = {architecture.name: architecture for architecture in (MOBILENET_V2, XCEPTION)}

__all__ = ["ARCHITECTURES", "Architecture"]
