"""What the senders know: what they sent, what they were answered. The database is held against it in the end."""

import threading
from dataclasses import dataclass, field

from tests.chaos.inputs import SentFile

STORAGE_FAULT = "storage_unavailable"


@dataclass(frozen=True)
class Answered:
    """What a sender was told of one file: the image that was taken in, or the code of why not."""

    image_id: str | None
    code: str = ""


@dataclass
class SentStudy:
    """A study under its idempotency key."""

    key: str
    files: tuple[SentFile, ...]
    model: str = ""
    urgent: bool = False
    study_id: str = ""
    """Empty until it was answered with 202."""
    answers: tuple[Answered, ...] = ()
    answered_at: float = 0.0

    @property
    def accepted(self) -> dict[str, SentFile]:
        """The images that were answered with 202, each with its file."""
        if not self.study_id:
            return {}
        pairs = zip(self.files, self.answers, strict=True)
        return {answer.image_id: file for file, answer in pairs if answer.image_id}


@dataclass
class Ledger:
    """Every study by its key, and what else the books are held against."""

    studies: dict[str, SentStudy] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    """Answers that no sender should ever get, and faults that did not come about."""
    older_workers: set[str] = field(default_factory=set)
    newer_model: str = ""
    """What the older workers lack, as "name version"."""
    times_no_room: int = 0
    """Answers that took nothing in since the disk was nearly full."""
    undisturbed: set[tuple[str, int]] = field(default_factory=set)
    """Claims, by job and token, that a worker held when it was asked to stop: it must have finished them."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, study: SentStudy) -> None:
        """Before it is sent for the first time."""
        with self._lock:
            self.studies[study.key] = study

    def complain(self, words: str) -> None:
        """Something went wrong that the books will not show."""
        with self._lock:
            self.complaints.append(words)

    def note_no_room(self) -> None:
        """A study was turned away for the time being."""
        with self._lock:
            self.times_no_room += 1

    def accepted(self) -> dict[str, SentFile]:
        """Every image that was answered with 202, with its file."""
        with self._lock:
            return {image: file for study in self.studies.values() for image, file in study.accepted.items()}

    def storage_refusals(self) -> int:
        """How many files could not be kept."""
        with self._lock:
            return sum(a.code == STORAGE_FAULT for study in self.studies.values() for a in study.answers)
