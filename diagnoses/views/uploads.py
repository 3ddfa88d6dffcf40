"""From Django's uploaded files to the files that the submission service takes."""

from collections.abc import Iterable

from django.core.files.uploadedfile import UploadedFile

from diagnoses.services.submission import SentFile


def sent_file(file: "UploadedFile[bytes]", name: str = "") -> SentFile:
    """A file of a request, not read yet; `name` is what its sender sees, by default the file's own."""
    return SentFile(name=name or file.name or "", size=file.size or 0, read=file.read)


def sent_files(files: Iterable["UploadedFile[bytes]"]) -> list[SentFile]:
    """The files of a request, none of them read yet."""
    return [sent_file(file) for file in files]
