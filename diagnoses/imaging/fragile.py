"""Decoders that damaged data makes end their process or take all its memory: they run in the sandbox, for all callers.

GDCM throws C++ exceptions that no Python code can catch; OpenJPEG believes the sizes that a file declares.
"""

from io import BytesIO
from typing import Any

from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass
from pydicom import dcmread
from pydicom.pixels.utils import pixel_array

from diagnoses.imaging.zygote import ZYGOTE

_DTYPES = ("|u1", "|i1", "<u2", "<i2")
_confined = False


class DecoderError(Exception):
    """The decoder gave up, or gave something else than the header says."""


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class _Head:
    dtype: str
    shape: tuple[int, int]


_HEAD = TypeAdapter(_Head)


def stored_values(data: bytes, plugin: str) -> NDArray[Any]:
    """The stored values of a DICOM file by one of pydicom's decoding plugins, shape (rows, columns).

    Raises DecoderError, and what `Zygote.ask` raises.
    """
    if _confined:
        return decoded_here(data, plugin)
    answer = ZYGOTE.ask("stored_values", [data], {"plugin": plugin})
    try:
        head = _HEAD.validate_json(answer.head)
        if head.dtype not in _DTYPES:
            raise DecoderError(f"values of type {head.dtype}")
        return answer.body.view(head.dtype).reshape(head.shape)
    except ValueError as error:
        raise DecoderError("the file could not be decoded") from error


def decoded_here(data: bytes, plugin: str) -> NDArray[Any]:
    """The same in this process, which damaged data may end."""
    dataset = dcmread(BytesIO(data))
    values = pixel_array(dataset, decoding_plugin=plugin)
    if values.shape != (dataset.Rows, dataset.Columns):
        raise DecoderError(f"the codestream holds {values.shape}")
    return values


def stay_here() -> None:
    """Say that the caller's process is a sandbox already."""
    global _confined  # noqa: PLW0603 - once, at its start
    _confined = True
