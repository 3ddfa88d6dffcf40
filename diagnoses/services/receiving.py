"""What becomes of one file that arrives: kept and known, or refused with a reason."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.conf import settings

from diagnoses import sealing, storage
from diagnoses.imaging import intake, sandbox
from diagnoses.imaging.errors import ImageError
from diagnoses.imaging.said import Said
from diagnoses.language import in_words
from diagnoses.models import Image

_log = logging.getLogger(__name__)

STORAGE_FAULT = "storage_unavailable"


@dataclass(frozen=True)
class SentFile:
    """A file as it arrives, and what was found out meanwhile. Its name is kept for its sender's eyes alone."""

    name: str
    size: int
    read: Callable[[], bytes]
    refusal: ImageError | None = None
    sha256: str = ""


@dataclass(frozen=True)
class FileError:
    """Why one file was not taken; the message is in English, and its parts beside it where it has facts in it."""

    code: str
    message: str
    said: Said | None = None

    @property
    def words(self) -> str:
        """The message in the reader's language."""
        return in_words(self.message, self.said_as_json)

    @property
    def said_as_json(self) -> dict[str, Any]:
        """The parts as rows keep them; nothing where there are none."""
        return self.said.as_json() if self.said else {}


def receive(file: SentFile) -> tuple[Image | FileError, str]:
    """What became of the file, and what stands for it in a fingerprint."""
    data = read_sent(file)
    content = content_of(file, data)
    return data if isinstance(data, FileError) else _keep(file, data), content


def read_sent(file: SentFile) -> bytes | FileError:
    """The file's bytes, or why they were not read."""
    if file.refusal or file.size > settings.CXR_MAX_FILE_BYTES:
        return _file_error(file.refusal or intake.too_large(file.size, settings.CXR_MAX_FILE_BYTES))
    try:
        return file.read()
    except OSError:
        return _storage_fault()


def _keep(file: SentFile, data: bytes) -> Image | FileError:
    """The file in storage and its row to be, or why not. The row's study and position come later."""
    try:
        inspected = sandbox.inspect(data, settings.CXR_MAX_FILE_BYTES)
        kept = intake.to_keep(data, inspected)
        stored_name = storage.new_original_name()
        file_key = sealing.new_key() if settings.CXR_SEAL_FILES else None
        storage.write(stored_name, sealing.seal(file_key, kept, stored_name) if file_key else kept)
    except ImageError as error:
        return _file_error(error)
    except OSError:
        return _storage_fault()
    return Image(
        filename=shown_name(file.name),
        kind=inspected.kind,
        byte_size=len(kept),
        sha256=file.sha256 if file.sha256 and kept is data else sha256(kept).hexdigest(),
        width=inspected.width,
        height=inspected.height,
        stored_name=stored_name,
        file_key=file_key,
    )


def _file_error(error: ImageError) -> FileError:
    return FileError(error.fault, error.message, error.said)


def _storage_fault() -> FileError:
    # A new study: with the key of this one the file would not be taken in, however often it is sent.
    _log.exception("A sent file could not be kept")
    return FileError(
        STORAGE_FAULT,
        "The file could not be kept on the server. Send it again as a new study; if it fails again, tell your IT.",
    )


def content_of(file: SentFile, data: bytes | FileError) -> str:
    """What stands for a file in a fingerprint: its hash as it was sent, or all that is known of an unread one."""
    return file.sha256 or (f"{file.size} {file.name}" if isinstance(data, FileError) else sha256(data).hexdigest())


def shown_name(name: str) -> str:
    """The sender's name for a file, without control characters (PostgreSQL takes no NUL) and of bounded length."""
    return "".join(character for character in name if character.isprintable())[-255:] or "unnamed"
