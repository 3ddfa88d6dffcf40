"""What this package does with a sent file, in a short-lived child process: for all that serves.

The same functions run in the child, and give the same numbers. A file whose child gives no answer is damaged, and no
other file notices. Beside ImageError all of these raise SandboxError, an OSError, where no child could be had.
"""

from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter

from diagnoses.imaging.decode import Radiograph
from diagnoses.imaging.dicom import DicomFacts
from diagnoses.imaging.frames import Answer
from diagnoses.imaging.intake import Inspected
from diagnoses.imaging.lossless import DrawnPicture
from diagnoses.imaging.patient import DicomPatient
from diagnoses.imaging.printed import Printed
from diagnoses.imaging.zygote import ZYGOTE, ChildLostError

_Head = TypeVar("_Head")


@dataclass(frozen=True)
class _RadiographHead:
    shape: tuple[int, int]
    chroma: float
    facts: DicomFacts | None


@dataclass(frozen=True)
class _PrintedHead:
    plain_bytes: int
    width: int
    height: int


@dataclass(frozen=True)
class _DrawnHead:
    width: int
    height: int


_RADIOGRAPH, _PRINTED, _DRAWN = TypeAdapter(_RadiographHead), TypeAdapter(_PrintedHead), TypeAdapter(_DrawnHead)
_INSPECTED, _PATIENT = TypeAdapter(Inspected), TypeAdapter(DicomPatient)


def decode(data: bytes) -> Radiograph:
    """See `decode.decode`."""
    answer = ZYGOTE.ask("decode", [data])
    head = _head(_RADIOGRAPH, answer)
    height, width = head.shape
    if min(head.shape) < 1 or height * width != len(answer.body):
        raise ChildLostError(f"{len(answer.body)} bytes for a picture of {head.shape}")
    return Radiograph(answer.body.reshape(head.shape), head.chroma, head.facts)


def inspect(data: bytes, max_bytes: int) -> Inspected:
    """See `intake.inspect`."""
    return _head(_INSPECTED, ZYGOTE.ask("inspect", [data], {"max_bytes": max_bytes}))


def packed_picture(data: bytes) -> bytes:
    """What `depth.full_picture` gives, packed."""
    return ZYGOTE.ask("packed_picture", [data]).body.tobytes()


def display_jpeg(data: bytes) -> bytes:
    """See `display.display_jpeg`."""
    return ZYGOTE.ask("display_jpeg", [data]).body.tobytes()


def printed(data: bytes, encoded_heatmap: bytes = b"") -> Printed:
    """See `printed.printed`. A heatmap that is no picture is an ImageError here, too."""
    answer = ZYGOTE.ask("printed", [data, encoded_heatmap])
    head = _head(_PRINTED, answer)
    plain, heated = answer.body[: head.plain_bytes], answer.body[head.plain_bytes :]
    return Printed(plain.tobytes(), heated.tobytes(), head.width, head.height)


def draw(data: bytes) -> DrawnPicture:
    """See `lossless.draw`."""
    answer = ZYGOTE.ask("drawn", [data])
    head = _head(_DRAWN, answer)
    return DrawnPicture(answer.body.tobytes(), head.width, head.height)


def patient_of(start: bytes) -> DicomPatient:
    """See `patient.patient_of`."""
    return _head(_PATIENT, ZYGOTE.ask("patient", [start]))


def start() -> None:
    """Have the helper process start now, so that the first file need not wait for it."""
    ZYGOTE.start()


def _head(kind: TypeAdapter[_Head], answer: Answer) -> _Head:
    """What a child said, taken at nothing but its types."""
    try:
        return kind.validate_json(answer.head, strict=True)
    except ValueError as error:
        raise ChildLostError("an answer of other types than its own") from error
