"""Decoding in a process of its own, for decoders that damaged data makes end their process or take all memory.

GDCM throws C++ exceptions that no Python code can catch; OpenJPEG believes the sizes that a file declares.
`python -m diagnoses.imaging.isolated PLUGIN` reads a DICOM file from its standard input and writes the stored values as
an .npy file to its standard output.
"""

import os
import resource
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.utils import pixel_array

_SECONDS = 60
_MEMORY_BYTES = 2 * 1024**3
_ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
"""Each thread of the linear algebra that comes along sets memory aside, and would use up the limit for nothing."""

_ROOT = Path(__file__).parent.parent.parent


class DecoderError(Exception):
    """The decoder gave up, or its process died."""


def stored_values(data: bytes, plugin: str) -> NDArray[Any]:
    """The stored values of a DICOM file by one of pydicom's decoding plugins, shape (rows, columns).

    Raises DecoderError.
    """
    command = [sys.executable, "-m", "diagnoses.imaging.isolated", plugin]
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, cwd=_ROOT, env=_ENVIRONMENT, timeout=_SECONDS, check=True
        )
        values: NDArray[Any] = np.load(BytesIO(done.stdout), allow_pickle=False)
    except (subprocess.SubprocessError, OSError, ValueError, EOFError) as error:
        raise DecoderError("the file could not be decoded") from error
    return values


def main(plugin: str) -> None:
    """Decode within limits of time and memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    dataset = dcmread(BytesIO(sys.stdin.buffer.read()))
    values = pixel_array(dataset, decoding_plugin=plugin)
    if values.shape != (dataset.Rows, dataset.Columns):
        raise DecoderError(f"the codestream holds {values.shape}")
    np.save(sys.stdout.buffer, values)


if __name__ == "__main__":
    main(sys.argv[1])
