"""Whose picture a DICOM file says it is, told from its start alone, however it was cut."""

import warnings
from datetime import date
from typing import Any

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from diagnoses.imaging.errors import ImageError, ImageFault
from diagnoses.imaging.patient import DicomPatient, patient_of
from tests import pictures

SAID: dict[str, Any] = {
    "PatientID": "P-0001",
    "PatientSex": "F",
    "PatientBirthDate": "20200229",
    "AccessionNumber": "A-77",
    "StudyInstanceUID": "1.2.3.4",
}
WHOLE = DicomPatient("P-0001", "F", date(2020, 2, 29), "A-77", "1.2.3.4", complete=True)


def file(**elements: Any) -> bytes:
    return pictures.dicom(pictures.phantom(120, 110), **SAID | elements)


def test_all_that_is_said_is_found() -> None:
    assert patient_of(file()) == WHOLE


def test_the_start_of_a_file_is_enough() -> None:
    assert patient_of(file()[:2048]) == WHOLE


def test_what_is_not_said_is_empty() -> None:
    assert patient_of(file(**dict.fromkeys(SAID))) == DicomPatient(complete=True)


def test_however_a_file_is_cut_no_value_is_ever_a_part_of_what_it_says() -> None:
    data = file()
    found = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a cut file makes the parser warn of much
        for length in range(2048):
            try:
                patient = patient_of(data[:length])
            except ImageError:
                continue
            for name, value in vars(patient).items():
                assert not value or value == getattr(WHOLE, name), f"{name} is {value!r} after {length} bytes"
            found.add(patient)
    assert len(found) > 3


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("PatientSex", "X", "sex"),
        ("PatientBirthDate", "20201332", "birth_date"),
        ("PatientBirthDate", "2020", "birth_date"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_what_cannot_be_meant_counts_as_not_said(name: str, value: str, field: str) -> None:
    assert not getattr(patient_of(file(**{name: value})), field)


@pytest.mark.filterwarnings("ignore:The value length")
def test_an_identity_too_long_to_be_kept_is_not_shortened_to_somebody_elses() -> None:
    assert patient_of(file(PatientID="P" * 65)).patient_id == ""


def test_a_file_of_an_encoding_that_is_not_taken_is_not_inflated() -> None:
    data = file().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"[:20])
    start = data.index(b"1.2.840.10008.1.2.1")
    deflated = data[: start - 2] + len(DeflatedExplicitVRLittleEndian).to_bytes(2, "little")
    deflated += DeflatedExplicitVRLittleEndian.encode() + data[start + 20 :]
    with pytest.raises(ImageError) as raised:
        patient_of(deflated)
    assert raised.value.fault is ImageFault.UNSUPPORTED_ENCODING


@pytest.mark.parametrize("data", [b"", b"no picture", b"\0" * 128 + b"DICM"])
def test_what_is_no_dicom_file_is_damaged(data: bytes) -> None:
    with pytest.raises(ImageError) as raised:
        patient_of(data)
    assert raised.value.fault is ImageFault.DAMAGED


def test_an_odd_header_says_nothing_and_breaks_nothing() -> None:
    data = file()
    start = data.index(b"1.2.840.10008.1.2.1\0")
    # Explicit elements read as implicit ones have lengths that lead anywhere.
    odd = data[: start - 2] + b"\x12\0" + f"{ImplicitVRLittleEndian}\0".encode() + data[start + 20 :]
    assert patient_of(odd) == DicomPatient()
