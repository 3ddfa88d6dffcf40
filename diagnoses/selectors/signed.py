"""Which of the clinicians' readings counts."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import Case, Value, When

from diagnoses.models import Reading
from diagnoses.models.reading import Part

_WEIGHT = Case(When(part=Part.ARBITER, then=Value(2)), When(part=Part.FIRST, then=Value(1)), default=Value(0))


def final_readings(image_ids: Collection[UUID]) -> dict[UUID, Reading]:
    """For each of these images that has been read the reading that counts: the arbiter's, else the first reader's."""
    signed = Reading.objects.filter(image__in=image_ids, replaced_by=None).select_related("image__study__subject")
    return {reading.image_id: reading for reading in signed.order_by(_WEIGHT, "signed_at", "id")}
