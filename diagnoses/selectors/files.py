"""Which files rows speak of, and which rows speak of files that are not there."""

from collections.abc import Collection, Iterator
from datetime import datetime

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Min, QuerySet

from diagnoses import storage
from diagnoses.models import Export, Image


def held_names(names: Collection[str]) -> set[str]:
    """Those of `names` that a row needs: of an export, or of an image whose patient was not erased."""
    images, exports = (
        rows.filter(stored_name__in=names).order_by().values_list("stored_name", flat=True)
        for rows in (_kept_images(), Export.objects.all())
    )
    return set(images.union(exports, all=True))


def named_files() -> Iterator[str]:
    """The names of all sent files that rows need."""
    named = _kept_images().exclude(stored_name="").order_by("pk")
    yield from named.values_list("stored_name", flat=True).iterator()


def images_without_file() -> list[str]:
    """The ids of images whose file is not in storage: none, as long as nothing but the product touches it.

    The rows are asked first. Each one's file was there before it, so that an upload meanwhile raises no false alarm.
    Raises OSError.
    """
    ids = {name: str(pk) for pk, name in _kept_images().values_list("pk", "stored_name").iterator()}
    for file in storage.listing():
        ids.pop(file.name, None)
    return sorted(ids.values())


def _kept_images() -> QuerySet[Image]:
    """An erased patient's are not meant to have a file."""
    return Image.objects.filter(study__subject__erased_at=None)


def database_began_at() -> datetime | None:
    """When this database was first prepared; one that is restored from a copy is as old as what was copied."""
    began_at: datetime | None = MigrationRecorder.Migration.objects.aggregate(at=Min("applied"))["at"]
    return began_at


def database_time() -> datetime:
    """What the database's clock says."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        now: datetime = cursor.fetchone()[0]
    return now
