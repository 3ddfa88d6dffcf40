"""Whether answers survive what happens to files on their way: saved again, resized, moved a little.

Each variant is encoded as a file and goes through the reader that serves, so that decoding and preparing count, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from rich.progress import track

from diagnoses.imaging.decode import decode
from diagnoses.imaging.errors import ImageError
from workers.inference.preprocess import GreyImage
from workers.inference.reader import Reading, ReadRequest
from workers.training.dataset import Case
from workers.training.evaluation import ReadRow, ServingReader, as_arrays, band_of, in_batches
from workers.training.intervals import RESAMPLES, Figure, share
from workers.training.metrics import summarise

_SHIFT = 0.02  # of each edge
_BATCH = 8  # files, each with all its variants


def _jpeg(quality: int) -> Callable[[GreyImage], bytes]:
    return lambda pixels: _encoded(".jpg", pixels, cv2.IMWRITE_JPEG_QUALITY, quality)


def _png(pixels: GreyImage) -> bytes:
    return _encoded(".png", pixels)


def _resized(scale: float) -> Callable[[GreyImage], bytes]:
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR

    def make(pixels: GreyImage) -> bytes:
        height, width = pixels.shape
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        return _png(np.asarray(cv2.resize(pixels, size, interpolation=interpolation), np.uint8))

    return make


def _shifted(pixels: GreyImage) -> bytes:
    """To the right and down; the edge's pixels are repeated."""
    height, width = pixels.shape
    down, right = max(1, round(height * _SHIFT)), max(1, round(width * _SHIFT))
    return _png(np.pad(pixels, ((down, 0), (right, 0)), mode="edge")[:height, :width])


def _encoded(suffix: str, pixels: GreyImage, *options: int) -> bytes:
    return cv2.imencode(suffix, pixels, list(options))[1].tobytes()


FILE_VARIANTS: dict[str, Callable[[GreyImage], bytes]] = {
    "jpeg_50": _jpeg(50),
    "jpeg_75": _jpeg(75),
    "jpeg_95": _jpeg(95),
    "png": _png,
    "smaller_by_20": _resized(0.8),
    "larger_by_20": _resized(1.2),
    "shifted": _shifted,
}
"""By name: from decoded pixels to the bytes of another file of the same radiograph. The same bytes each time."""


def file_variants(data: bytes) -> dict[str, bytes]:
    """Every variant of a file by its name. Raises ImageError for a file that cannot be decoded."""
    pixels = decode(data).pixels
    return {name: make(pixels) for name, make in FILE_VARIANTS.items()}


@dataclass(frozen=True)
class Flips:
    """How one variant changes answers. Shares are of the pictures that were read both ways."""

    count: int
    flipped: Figure | None
    """The label, by the threshold, is another one. None where no picture was read both ways."""
    flipped_unsaid: Figure | None
    """And neither answer was marked as indeterminate: nobody would have been warned."""
    refused: Figure
    """Share of the pictures that were read as they are, and not in this variant."""


@dataclass(frozen=True)
class Stress:
    """Flips by variant, and over all of them; and the usual figures over all pictures and variants together."""

    pooled: Flips
    variants: dict[str, Flips]
    figures: dict[str, Figure]


@dataclass(frozen=True)
class _Pair:
    """A picture that was read, and the answer to one variant of it."""

    original: ReadRow
    answer: Reading | ImageError


def flip_rates(reader: ServingReader, cases: Sequence[Case], *, resamples: int = RESAMPLES) -> Stress:
    """Read each case as it is and in every variant. Pictures that are not read as they are say nothing here.

    Raises DatasetError where none of a class can be read.
    """
    pairs: dict[str, list[_Pair]] = {name: [] for name in FILE_VARIANTS}
    originals: list[ReadRow] = []
    for batch in track(list(in_batches(cases, _BATCH)), description="Reading variants"):
        for row, answers in _read_batch(reader, batch):
            originals.append(row)
            for name, answer in zip(FILE_VARIANTS, answers, strict=True):
                pairs[name].append(_Pair(row, answer))
    labels, probabilities, patients = as_arrays([*originals, *_read_variants(pairs)])
    figures = summarise(
        labels, probabilities, patients, reader.card.threshold, band=band_of(reader.card), resamples=resamples
    )
    return Stress(
        pooled=_flips([pair for members in pairs.values() for pair in members], resamples),
        variants={name: _flips(members, resamples) for name, members in pairs.items()},
        figures=figures,
    )


def stress_json(stress: Stress) -> dict[str, Any]:
    """As plain values."""
    return asdict(stress)


def _read_batch(reader: ServingReader, cases: Sequence[Case]) -> list[tuple[ReadRow, list[Reading | ImageError]]]:
    """Each case that can be read, with the answers to its variants."""
    files = [case.path.read_bytes() for case in cases]
    read = [
        (ReadRow(case, answer), data)
        for case, data, answer in zip(cases, files, reader.read([ReadRequest(data) for data in files]), strict=True)
        if isinstance(answer, Reading)
    ]
    variants = [ReadRequest(variant) for _, data in read for variant in file_variants(data).values()]
    answers = iter(reader.read(variants) if variants else [])
    return [(row, [next(answers) for _ in FILE_VARIANTS]) for row, _ in read]


def _read_variants(pairs: dict[str, list[_Pair]]) -> list[ReadRow]:
    return [
        ReadRow(pair.original.case, pair.answer)
        for members in pairs.values()
        for pair in members
        if isinstance(pair.answer, Reading)
    ]


def _flips(pairs: Sequence[_Pair], resamples: int) -> Flips:
    patients = [pair.original.case.patient for pair in pairs]
    both = [(pair.original, pair.answer) for pair in pairs if isinstance(pair.answer, Reading)]
    flipped = [row.reading.label != other.label for row, other in both]
    said = [not row.reading.indeterminate_reason and not other.indeterminate_reason for row, other in both]
    unsaid = [flip and certain for flip, certain in zip(flipped, said, strict=True)]
    owners = [row.case.patient for row, _ in both]
    return Flips(
        count=len(both),
        flipped=share(flipped, owners, resamples) if both else None,
        flipped_unsaid=share(unsaid, owners, resamples) if both else None,
        refused=share([isinstance(pair.answer, ImageError) for pair in pairs], patients, resamples),
    )
