"""The files that were sent in, opened."""

from diagnoses import sealing, storage
from diagnoses.models import Image


def read_original(image: Image) -> bytes:
    """The bytes that were sent. Raises OSError, FileNotFoundError among them, also where the patient was erased."""
    if image.study.is_erased:
        raise FileNotFoundError(f"{image.stored_name} is of a patient who was erased")
    return read_file(image.stored_name, image.file_key)


def read_file(stored_name: str, file_key: bytes | None) -> bytes:
    """The same for who has the file's key in hand; None where it lies in clear. Raises OSError."""
    data = storage.read(stored_name)
    if file_key is None:
        return data
    try:
        return sealing.unseal(file_key, data, stored_name)
    except sealing.SealError as error:
        raise OSError(f"{stored_name} does not open") from error
