"""Whose picture a DICOM file says it is, from its first bytes alone."""

import re
from dataclasses import dataclass
from datetime import date
from io import BytesIO

from pydicom import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag

from diagnoses.imaging.dicom import check_start

_LAST = Tag("StudyInstanceUID")
"""Of what is looked for, the last in a file's order."""
_LOOKED_FOR = [
    Tag(name) for name in ("SpecificCharacterSet", "AccessionNumber", "PatientID", "PatientBirthDate", "PatientSex")
]
_LONGEST = 64


@dataclass(frozen=True)
class DicomPatient:
    """What a header says. Empty or None where it does not, or where it says nothing that can be meant."""

    patient_id: str = ""
    sex: str = ""
    """F, M or O."""
    birth_date: date | None = None
    accession_number: str = ""
    study_uid: str = ""
    complete: bool = False
    """Whether all of this was looked for; where not, more of the file may say more."""


def patient_of(start: bytes) -> DicomPatient:
    """The patient that the start of a DICOM file names; what is cut off at its end counts as not said.

    Raises ImageError where the file is damaged or its transfer syntax is not taken.
    """
    check_start(start)
    try:
        dataset, complete = _read(start)
        return DicomPatient(
            _text(dataset, "PatientID"),
            _sex(dataset),
            _birth_date(dataset),
            _text(dataset, "AccessionNumber"),
            _text(dataset, "StudyInstanceUID"),
            complete,
        )
    except Exception:  # noqa: BLE001 - a cut or odd header breaks pydicom's parser in many ways
        return DicomPatient()


def _read(start: bytes) -> tuple[Dataset, bool]:
    all_was_read = False

    def is_past(tag: BaseTag, vr: str | None, length: int) -> bool:
        nonlocal all_was_read
        all_was_read = bool(tag > _LAST)
        return all_was_read

    dataset = read_partial(BytesIO(start), stop_when=is_past, specific_tags=[*_LOOKED_FOR, _LAST])
    if not all_was_read and len(dataset):
        del dataset[max(dataset.keys())]  # it may be cut
    return dataset, all_was_read


def _text(dataset: Dataset, name: str) -> str:
    text = "".join(filter(str.isprintable, str(dataset.get(name, None) or ""))).strip()
    return text if len(text) <= _LONGEST else ""


def _sex(dataset: Dataset) -> str:
    sex = _text(dataset, "PatientSex").upper()
    return sex if sex in ("F", "M", "O") else ""


def _birth_date(dataset: Dataset) -> date | None:
    text = _text(dataset, "PatientBirthDate")
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{8}", text) else None
    except ValueError:
        return None
