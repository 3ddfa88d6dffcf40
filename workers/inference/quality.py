"""The gate's rules: what can be told of a picture before any network has looked at it, and the words for each refusal.

The limits leave room around the 5,336 radiographs at hand: none is refused, and none of 627 of them that were saved as
JPEG of quality 50, 75 or 95, or brought to 0.8 or 1.2 times their size. The comments say how close the nearest came.
"""

import re
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from diagnoses.imaging.decode import Radiograph
from diagnoses.imaging.dicom import DicomFacts
from diagnoses.imaging.errors import ImageFault
from diagnoses.imaging.said import for_people
from workers.inference.preprocess import GreyImage

MIN_AGE_YEARS = 1.0
MAX_AGE_YEARS = 6.0
"""The training set's children were one to five years old: from the first birthday to the day before the sixth."""

_MIN_RANGE = 32.0  # grey levels between the 5th and the 95th percentile; of a radiograph 68 or more
_MAX_BLACK = 0.6  # share of pixels; of a radiograph 0.34 or less
_MAX_WHITE = 0.4  # share of pixels; of a radiograph 0.074 or less, of its negative 0.34
_MIN_FINE_SHARE = 5e-4  # of a radiograph 1.4e-3 or more, at 0.8 times its size 9e-4
_MAX_CHROMA = 0.1  # share of clearly coloured pixels; of a radiograph 0
_MAX_ELONGATION = 3.5  # longer over shorter edge; of 120 radiographs in their own shape 1.99 or less
_BLACK, _WHITE = 4, 251
_FINE_WAVES = 20
"""Across the picture. Blurring with a sigma of 1.5 % of the picture's width or more leaves next to none of them."""

_CHEST_PART = re.compile(r"CHEST|THORA[XC]|TORA[XC]|LUNG|PULMO|RIB|STERN|HEART|^(UNKNOWN|OTHER|NONE)?$")
_SPINE = re.compile("SPINE|COLUMN")
_NO_FRONTAL_VIEW = re.compile(r"LAT|OBL|^(LL|RL|LLD|RLD|LLO|RLO|LAO|RAO|LPO|RPO)$")
"""Lateral, oblique, and lying on the side (decubitus); words for a view hold one of the first two."""

_WORDS = {
    ImageFault.NOT_A_CHEST_XRAY: for_people(
        "This does not look like a chest radiograph, so it was not read. Send the frontal "
        "chest radiograph itself; if this is one, override the refusal and say why."
    ),
    ImageFault.NOT_FRONTAL: for_people(
        "This is marked as a lateral or oblique view; only frontal ones (PA or AP) are read. Send "
        "the frontal view; if this is one, override the refusal and say why."
    ),
    ImageFault.INVERTED: for_people(
        "This looks like a negative, with black bones. Invert it, or export it with its original "
        "photometric interpretation, and send it again; if it is right as it is, override the refusal and say why."
    ),
    ImageFault.CROPPED_OR_ROTATED: for_people(
        "This does not show a whole, upright chest. Send the uncropped radiograph with the "
        "head up; if it cannot be had otherwise, override the refusal and say why."
    ),
    ImageFault.TOO_LOW_QUALITY: for_people(
        "This picture is too blurred, too dark, too bright or too empty to be read. Export it "
        "again from its source at full size; if it cannot be had better, override the refusal and say why."
    ),
    ImageFault.OUTSIDE_AGE: for_people(
        "The patient is outside the ages of one to five years that the model was trained on, so it "
        "was not read. Read it without the model, or override the refusal and say why."
    ),
}


def words_of(fault: ImageFault) -> str:
    """What the gate says to the person who sent the picture, and what to do next."""
    return _WORDS[fault]


def judge_facts(facts: DicomFacts | None, age_years: float | None) -> list[ImageFault]:
    """What is wrong by what a DICOM header and the sender say. The sender's age counts before the header's."""
    facts = facts or DicomFacts()
    age = facts.age_years if age_years is None else age_years
    faults = []
    if not _CHEST_PART.search(facts.body_part) or _SPINE.search(facts.body_part):
        faults.append(ImageFault.NOT_A_CHEST_XRAY)
    if _NO_FRONTAL_VIEW.search(facts.view_position):
        faults.append(ImageFault.NOT_FRONTAL)
    if age is not None and not MIN_AGE_YEARS <= age < MAX_AGE_YEARS:
        faults.append(ImageFault.OUTSIDE_AGE)
    return faults


def judge_quality(radiograph: Radiograph, picture: GreyImage) -> list[ImageFault]:
    """What is wrong by the picture's own looks. `picture` is the radiograph as the network takes it."""
    faults = []
    if radiograph.chroma > _MAX_CHROMA:
        faults.append(ImageFault.NOT_A_CHEST_XRAY)
    if max(radiograph.pixels.shape) > _MAX_ELONGATION * min(radiograph.pixels.shape):
        faults.append(ImageFault.CROPPED_OR_ROTATED)
    if _is_empty(picture) or _is_blurred(picture):
        faults.append(ImageFault.TOO_LOW_QUALITY)
    return faults


def _is_empty(picture: GreyImage) -> bool:
    low, high = np.percentile(picture, (5, 95))
    black, white = float(np.mean(picture <= _BLACK)), float(np.mean(picture >= _WHITE))
    return bool(high - low < _MIN_RANGE or black > _MAX_BLACK or white > _MAX_WHITE)


def _is_blurred(picture: GreyImage) -> bool:
    return fine_share(picture) < _MIN_FINE_SHARE


def fine_share(picture: GreyImage) -> float:
    """The share of a picture's contrast that lies in fine details: of its spectral power, in `_FINE_WAVES` or more.

    It counts waves across the picture and not pixels, so that it hardly depends on the picture's size.
    """
    window, is_fine = _spectrum_tools(picture.shape)
    spectrum = cv2.dft((picture - np.float32(picture.mean())) * window, flags=cv2.DFT_COMPLEX_OUTPUT)
    power = np.square(spectrum).sum(axis=2)
    total = float(power.sum())
    return float(power[is_fine].sum()) / total if total > 0 else 0.0


@cache
def _spectrum_tools(shape: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A window that fades out towards the edges, whose jumps would count as details, and where fine waves are."""
    height, width = shape
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    down, across = np.fft.fftfreq(height, 1 / height), np.fft.fftfreq(width, 1 / width)
    return window, np.hypot(down[:, None], across[None, :]) >= _FINE_WAVES
