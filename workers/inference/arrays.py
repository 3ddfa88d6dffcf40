"""Arrays in a file: numpy's own format, never pickled."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from workers.inference.card import ModelError


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz file by their names. Raises ModelError for one that is missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    # An empty file, a cut one, a text and a pickle each end in an error of its own.
    except (OSError, EOFError, ValueError, AttributeError, BadZipFile) as error:
        raise ModelError(f"{path} cannot be loaded: {error}") from error
