"""Radiographs in a folder with NORMAL/ and PNEUMONIA/: found, told apart by patient, split by patient, loaded."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diagnoses.imaging.decode import decode
from diagnoses.imaging.errors import ImageError
from workers.inference.preprocess import GreyImage, preprocess

_SUFFIXES = {".jpeg", ".jpg", ".png", ".dcm"}
_PNEUMONIA_NAME = re.compile(r"(?P<person>person\d+)_(?P<subtype>bacteria|virus)_")
_NORMAL_NAME = re.compile(r"(?P<patient>(?:NORMAL2-)?IM-\d+)")


class DatasetError(Exception):
    """The folder is not laid out as it must be; the text says what is missing."""


class Target(IntEnum):
    """What the network learns to tell apart; the order is that of its class logits."""

    NORMAL = 0
    BACTERIAL = 1
    VIRAL = 2


class Part(StrEnum):
    """What a patient's pictures are used for: to learn, to choose threshold and temperature, to report figures."""

    TRAIN = "train"
    VALIDATION = "validation"
    HOLDOUT = "holdout"


@dataclass(frozen=True)
class Case:
    """One picture with what is known of it. `subtype` is None where the file's name does not tell it."""

    path: Path
    is_pneumonia: bool
    patient: str
    subtype: Target | None


def find_cases(folder: Path) -> list[Case]:
    """All radiographs below NORMAL/ and PNEUMONIA/ of `folder`, in a stable order.

    Raises DatasetError where a class is missing or empty; it names folders below that hold both, as those of the
    public data set's archive do (train, test, val).
    """
    cases: list[Case] = []
    for name, is_pneumonia in (("NORMAL", False), ("PNEUMONIA", True)):
        paths = sorted(path for path in (folder / name).rglob("*") if path.suffix.lower() in _SUFFIXES)
        if not paths:
            words = f"{folder} must hold pictures in NORMAL/ and PNEUMONIA/: {name}/ has none."
            raise DatasetError(words + _others_in_words(folder))
        cases.extend(_case(path, is_pneumonia) for path in paths)
    return cases


def _others_in_words(folder: Path) -> str:
    below = [path.parent for pattern in ("*/NORMAL", "*/*/NORMAL") for path in folder.glob(pattern)]
    found = [str(path) for path in sorted(below) if (path / "PNEUMONIA").is_dir() and "__MACOSX" not in path.parts]
    return f" Give one of these instead: {', '.join(found)}." if found else ""


def _case(path: Path, is_pneumonia: bool) -> Case:
    if not is_pneumonia:
        match = _NORMAL_NAME.match(path.name)
        return Case(path, False, match["patient"] if match else f"normal/{path.stem}", Target.NORMAL)
    match = _PNEUMONIA_NAME.match(path.name)
    if not match:
        return Case(path, True, f"pneumonia/{path.stem}", None)
    subtype = Target.BACTERIAL if match["subtype"] == "bacteria" else Target.VIRAL
    # The same number names two different children, one in each subtype.
    return Case(path, True, f"{match['person']}_{match['subtype']}", subtype)


def split(cases: Iterable[Case], seed: int) -> dict[Part, list[Case]]:
    """Eight, one and one tenths of the patients. A patient's part hangs on its name and the seed alone."""
    parts: dict[Part, list[Case]] = {part: [] for part in Part}
    for case in cases:
        parts[_part_of(case.patient, seed)].append(case)
    return parts


def check_parts(parts: dict[Part, list[Case]]) -> None:
    """Raise DatasetError where a part of a split lacks one of the classes."""
    for part, members in parts.items():
        if {case.is_pneumonia for case in members} != {False, True}:
            raise DatasetError(f"There are too few patients: the {part} part of the split lacks one of the classes.")


def _part_of(patient: str, seed: int) -> Part:
    tenth = int.from_bytes(hashlib.sha256(f"{seed}:{patient}".encode()).digest()[:8], "big") % 10
    return {0: Part.HOLDOUT, 1: Part.VALIDATION}.get(tenth, Part.TRAIN)


def load(cases: Sequence[Case], size: int) -> NDArray[np.uint8]:
    """The pictures as the network takes them, shape (n, size, size), grey levels 0 to 255.

    Raises DatasetError for one that cannot be read.
    """
    pictures = np.empty((len(cases), size, size), np.uint8)

    def read(index: int) -> None:
        pictures[index] = _read(cases[index].path, size)

    with ThreadPoolExecutor() as pool:
        list(pool.map(read, range(len(cases))))
    return pictures


def _read(path: Path, size: int) -> GreyImage:
    try:
        return preprocess(decode(path.read_bytes()).pixels, size)
    except ImageError as error:
        raise DatasetError(f"{path}: {error.message}") from error
