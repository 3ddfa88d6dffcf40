"""From the files of a request to the files that the submission service takes: counted, and ZIP archives opened."""

from collections.abc import Iterable, Iterator
from typing import IO

from django.core.files.uploadedfile import UploadedFile
from django.http.response import HttpResponseBase

from diagnoses.audit import Actor
from diagnoses.imaging import archive
from diagnoses.imaging.errors import ImageError, ImageFault
from diagnoses.services import allowance
from diagnoses.services.receiving import SentFile
from diagnoses.services.submission import KeyReusedError, QueueFullError, SubmissionError, was_sent
from diagnoses.services.uploading import StorageError
from diagnoses.storage.quarantine import Parcel
from diagnoses.views.receiving import QuarantinedFile

_NOT_TAKEN: dict[type[SubmissionError], tuple[str, int]] = {
    QueueFullError: ("queue_full", 429),
    allowance.QuotaError: ("quota", 429),
    allowance.NoRoomError: ("no_room", 503),
    StorageError: ("storage_unavailable", 503),
    KeyReusedError: ("key_reused", 409),
}


def code_of(error: SubmissionError, otherwise: int) -> tuple[str, int]:
    """How programs are told why nothing was taken: a code, and the status of the answer."""
    return _NOT_TAKEN.get(type(error), ("not_taken", otherwise))


def say_when_again(response: HttpResponseBase, error: SubmissionError) -> None:
    """When the same may be sent again, where it may, in the answer's header."""
    if error.retry_after_seconds:
        response["Retry-After"] = str(error.retry_after_seconds)


def sent_file(actor: Actor, file: "UploadedFile[bytes]", name: str = "") -> SentFile:
    """A file of a request; `name` is what its sender sees, by default the file's own. Raises SubmissionError."""
    allowance.check_disk(actor)
    allowance.count(actor, 1, file.size or 0)
    return _sent(_parcel_of(file), name or file.name or "")


def sent_files(actor: Actor, files: "Iterable[UploadedFile[bytes]]", idempotency_key: str = "") -> list[SentFile]:
    """The files of a request, those in ZIP archives one by one. Raises SubmissionError where they are too many."""
    files = list(files)
    # What comes again is only held against what came before, and costs less than a refusal. To open an archive costs
    # what it always does, whosever key is on it.
    if any(_parcel_of(file).is_zip for file in files) or not was_sent(actor, idempotency_key):
        allowance.check_disk(actor)
        allowance.count(actor, len(files), sum(file.size or 0 for file in files))
    budget = archive.Budget()
    sent = [part for file in files for part in _parts(_parcel_of(file), file.name or "", budget)]
    if len(sent) > len(files):
        allowance.count(actor, len(sent) - len(files))
    return sent


def _parcel_of(file: "UploadedFile[bytes]") -> Parcel:
    assert isinstance(file, QuarantinedFile)  # noqa: S101 - settings name our handler as the only one
    return file.parcel


def _sent(parcel: Parcel, name: str) -> SentFile:
    return SentFile(name, parcel.size, parcel.read, parcel.refusal, parcel.sha256)


def _parts(parcel: Parcel, name: str, budget: archive.Budget) -> Iterator[SentFile]:
    """A file as it is, or what an archive holds; a refusal of all of an archive is one of the archive itself."""
    if not parcel.is_zip or parcel.refusal:
        yield _sent(parcel, name)
        return
    try:
        unpacked = _unpacked(parcel, budget)
    except ImageError as error:
        parcel.remove()
        yield SentFile(name, parcel.size, parcel.read, error, parcel.sha256)
        return
    except OSError:
        yield _sent(parcel, name)  # whoever reads it hears of that
        return
    for entry, content in unpacked:
        yield _sent(content, f"{name}/{entry}")


def _unpacked(parcel: Parcel, budget: archive.Budget) -> list[tuple[str, Parcel]]:
    """The entries by their names. Raises ImageError for an archive that is not taken as a whole."""
    with parcel.open() as file:
        return [(entry.name, _content(file, entry, parcel.part())) for entry in archive.entries_of(file, budget)]


def _content(file: IO[bytes], entry: archive.Entry, parcel: Parcel) -> Parcel:
    """An entry in quarantine as if it had come alone. Raises ImageError where it makes a bomb of the whole archive."""
    try:
        for piece in archive.unpack(file, entry):
            parcel.write(piece)
            if parcel.refusal:
                break
    except ImageError as error:
        if error.fault is ImageFault.ARCHIVE_BOMB:
            raise
        parcel.give_up(error)
    parcel.finish()
    if parcel.is_zip and not parcel.refusal:
        words = "A ZIP within a ZIP is not opened. Unpack it, and send the radiographs."
        parcel.give_up(ImageError(ImageFault.ARCHIVE_NESTED, words))
    return parcel
