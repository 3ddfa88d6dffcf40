"""How files come out of a request: into quarantine while the request is taken apart, and nowhere else."""

from functools import cached_property
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile

from diagnoses.roles import MAY_SUBMIT
from diagnoses.storage.quarantine import Parcel


class QuarantinedFile(UploadedFile):  # type: ignore[type-arg]
    """A file of a request as forms see it; what there is to know of it is its parcel's."""

    def __init__(self, parcel: Parcel, name: str | None) -> None:
        super().__init__(file=None, name=name, size=parcel.size)
        self.parcel = parcel

    def close(self) -> None:
        """Django says so at the end of the request."""
        self.parcel.remove()


class QuarantineUploadHandler(FileUploadHandler):
    """Writes each file of a request into quarantine, the small ones too: one way, and memory holds a piece of each.

    Files of those who may send nothing are passed over: a request is taken apart before any view is asked.
    """

    parcel: Parcel | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin a parcel."""
        super().new_file(*args, **kwargs)
        if not self._sender_may_send:
            raise SkipFile
        self.parcel = Parcel()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Put what comes into it."""
        if self.parcel:
            self.parcel.write(raw_data)

    def file_complete(self, file_size: int) -> QuarantinedFile | None:
        """The whole file."""
        parcel, self.parcel = self.parcel, None
        if parcel is None:
            return None
        parcel.finish()
        return QuarantinedFile(parcel, self.file_name)

    def upload_interrupted(self) -> None:
        """Nothing stays of a file whose end did not come."""
        if self.parcel:
            self.parcel.remove()

    @cached_property
    def _sender_may_send(self) -> bool:
        user = getattr(self.request, "user", None)
        return bool(user and user.has_perm(MAY_SUBMIT))
