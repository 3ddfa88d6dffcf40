"""Which files rows speak of, and which rows speak of files that are not there."""

from collections.abc import Collection
from datetime import datetime

from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Min, Model

from diagnoses import storage
from diagnoses.models import Image, Result

_HOLDERS: list[tuple[type[Model], str]] = [
    (Image, "stored_name"),
    (Result, "heatmap_name"),
]
"""Every column that holds the name of a file in storage."""


def held_names(names: Collection[str]) -> set[str]:
    """Those of `names` that a row speaks of."""
    held: set[str] = set()
    for model, column in _HOLDERS:
        rows = model._default_manager.filter(**{f"{column}__in": names})
        held |= set(rows.values_list(column, flat=True))
    return held


def images_without_file() -> list[str]:
    """The ids of images whose file is not in storage: none, as long as nothing but the product touches it.

    The rows are asked first. Each one's file was there before it, so that an upload meanwhile raises no false alarm.
    Raises OSError.
    """
    ids = {name: str(pk) for pk, name in Image.objects.values_list("pk", "stored_name").iterator()}
    for file in storage.listing():
        ids.pop(file.name, None)
    return sorted(ids.values())


def database_began_at() -> datetime | None:
    """When this database was first prepared; one that is restored from a copy is as old as what was copied."""
    began_at: datetime | None = MigrationRecorder.Migration.objects.aggregate(at=Min("applied"))["at"]
    return began_at
