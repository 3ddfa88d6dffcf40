"""Whether a file says of its patient what was typed of them."""

from diagnoses import sealing
from diagnoses.imaging import sandbox
from diagnoses.imaging.errors import ImageError
from diagnoses.imaging.patient import DicomPatient
from diagnoses.models import Study
from diagnoses.sealing import SealError
from diagnoses.services.jobs import Claim

_HEADER_BYTES = 128 * 1024
_MARK = slice(128, 132)


def names_another_patient(claim: Claim, data: bytes) -> bool:
    """Whether a DICOM header contradicts the study's patient ID, birth date or sex; what either leaves out does not."""
    if data[_MARK] != b"DICM":
        return False
    study = Study.objects.select_related("subject").filter(images__jobs=claim.job_id).first()
    if study is None or study.subject.erased_at is not None:
        return False
    try:
        if not (study.patient_id or study.patient_birth_date or study.patient_sex):
            return False
        return _differ(study, sandbox.patient_of(data[:_HEADER_BYTES]))
    except (ImageError, SealError):  # damaged, or of a key that is missing
        return False


def _differ(study: Study, said: DicomPatient) -> bool:
    pairs = [
        (sealing.patient_index(study.patient_id), sealing.patient_index(said.patient_id)),
        (study.patient_birth_date, said.birth_date),
        (study.patient_sex, said.sex),
    ]
    return any(typed and found and typed != found for typed, found in pairs)
