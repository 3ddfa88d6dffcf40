"""What a report says. Words in it are in the language that was active when it was made; so are its `*_words`."""

import uuid
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True)
class Coded:
    """A code, and what it means to a clinician."""

    code: str
    words: str


@dataclass(frozen=True)
class Interval:
    """A share (0 to 1) that was measured, with its 95 % interval; `words` say of what."""

    words: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Override:
    """A refusal that a person overrode before the reading."""

    refusal: Coded
    reason: str
    by: str


@dataclass(frozen=True)
class Answer:
    """What the model said of an image, and how much that is worth.

    `certainty` is how often such answers were right, None where nobody measured that; `certainty_words` say which of
    the two it is. `share_right` is that at the site's own `prevalence`.
    """

    job_id: uuid.UUID
    words: str
    label: str
    label_words: str
    probability: float
    certainty: Interval | None
    certainty_words: str
    prevalence: float | None
    share_right: float | None
    threshold: float
    band_low: float
    band_high: float
    indeterminate: Coded | None
    warnings: list[Coded]
    override: Override | None
    model: str
    model_version: str
    engine: str
    read_at: datetime
    weights_sha256: str
    image_sha256: str


@dataclass(frozen=True)
class OtherAnswer:
    """What another model said of the same image before."""

    model: str
    model_version: str
    words: str
    probability: float | None


@dataclass(frozen=True)
class SignedReading:
    """What a clinician says of an image. `final` is the one that counts; `revised` came in place of an earlier one."""

    final: bool
    revised: bool
    part: Coded
    finding: Coded
    agreement: Coded | None
    text: str
    reader: str
    signed_at: datetime


@dataclass(frozen=True)
class ImageReport:
    """One file of the study. `status_words` are the answer in a word or two, or why there is none.

    `hidden`: there is an answer, which this user may see once they have signed a reading of their own.
    """

    position: int
    image_id: uuid.UUID | None
    filename: str
    status: str
    status_words: str
    hidden: bool
    problem: Coded | None
    answer: Answer | None
    other_answers: list[OtherAnswer]
    readings: list[SignedReading]
    readings_words: str


@dataclass(frozen=True)
class ModelReport:
    """A model that gave one of the answers: what it is for, its limits, and its figures on patients new to it."""

    name: str
    version: str
    intended_use: str
    limits: list[str]
    figures: list[Interval]


@dataclass(frozen=True)
class Patient:
    """Whom it is about; `age_words` as of the day when the study was sent."""

    patient_id: str
    sex: str
    sex_words: str
    birth_date: date | None
    age_words: str


@dataclass(frozen=True)
class Report:
    """The whole of it."""

    language: str
    title: str
    notice: str
    product: str
    site: str
    study_id: uuid.UUID
    patient: Patient
    accession_number: str
    clinical_note: str
    urgent: bool
    sent_at: datetime
    sent_by: str
    images: list[ImageReport]
    models: list[ModelReport]
    made_at: datetime
    made_by: str


def as_data(report: Report) -> dict[str, Any]:
    """The report as JSON has it."""
    return asdict(report, dict_factory=_plain)


def _plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: _leaf(value) for name, value in pairs}


def _leaf(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value
