"""The ways in which a file can be no good, each with words that say what to do next."""

from enum import StrEnum

from diagnoses.imaging.said import Fact, Said


class ImageFault(StrEnum):
    """Why a file was not taken, or could not be read. The values are stored and sent by the API: never rename one."""

    EMPTY_FILE = "empty_file"
    TOO_LARGE = "too_large"
    UNSUPPORTED_TYPE = "unsupported_type"
    DAMAGED = "damaged"
    TOO_SMALL = "too_small"
    TOO_MANY_PIXELS = "too_many_pixels"
    SEVERAL_FRAMES = "several_frames"
    NOT_A_RADIOGRAPH = "not_a_radiograph"
    NO_PIXELS = "no_pixels"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    TWO_KINDS = "two_kinds"
    TOO_COMPLEX = "too_complex"
    ARCHIVE_DAMAGED = "archive_damaged"
    ARCHIVE_TOO_LARGE = "archive_too_large"
    ARCHIVE_BOMB = "archive_bomb"
    ARCHIVE_NESTED = "archive_nested"
    ARCHIVE_ENCRYPTED = "archive_encrypted"
    ARCHIVE_NO_FILE = "archive_no_file"
    ARCHIVE_UNSAFE_NAME = "archive_unsafe_name"
    NOT_A_CHEST_XRAY = "not_a_chest_xray"
    NOT_FRONTAL = "not_frontal"
    INVERTED = "inverted"
    CROPPED_OR_ROTATED = "cropped_or_rotated"
    TOO_LOW_QUALITY = "too_low_quality"
    OUTSIDE_AGE = "outside_age"


GATE_FAULTS = frozenset(
    {
        ImageFault.NOT_A_CHEST_XRAY,
        ImageFault.NOT_FRONTAL,
        ImageFault.INVERTED,
        ImageFault.CROPPED_OR_ROTATED,
        ImageFault.TOO_LOW_QUALITY,
        ImageFault.OUTSIDE_AGE,
    }
)
"""The gate's refusals of whole, readable files: a clinician may override one, with a reason."""


class ImageError(Exception):
    """A file that cannot be read as a radiograph; `message` is fit to be shown to the person who sent it.

    With facts, the words are a template with their names as places, and `said` keeps both apart.
    """

    def __init__(self, fault: ImageFault, words: str, **facts: Fact) -> None:
        self.fault = fault
        self.said = Said.of(words, **facts) if facts else None
        self.message = self.said.text if self.said else words
        super().__init__(self.message)
