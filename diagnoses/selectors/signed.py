"""What clinicians have signed of images."""

from collections.abc import Collection
from uuid import UUID

from diagnoses.models import Reading


def latest_signed(image_ids: Collection[UUID]) -> dict[UUID, Reading]:
    """For each of these images that has been read the reading that was signed last."""
    signed = Reading.objects.filter(image__in=image_ids, replaced_by=None)
    return {reading.image_id: reading for reading in signed.order_by("signed_at", "id")}
