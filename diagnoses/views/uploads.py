"""From Django's uploaded files to the files that the submission service takes."""

from collections.abc import Iterable

from django.core.files.uploadedfile import UploadedFile

from diagnoses.services.submission import SentFile


def sent_files(files: Iterable["UploadedFile[bytes]"]) -> list[SentFile]:
    """The files of a request, none of them read yet."""
    return [SentFile(name=file.name or "", size=file.size or 0, read=file.read) for file in files]
