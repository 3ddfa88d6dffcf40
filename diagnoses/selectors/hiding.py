"""Whose answers a user may not see yet: those who read first sign their own reading before they see the product's."""

from collections.abc import Collection
from uuid import UUID

from diagnoses.models import Profile, Reading
from diagnoses.selectors.studies import Viewer


def hidden_images(user: Viewer, image_ids: Collection[UUID]) -> set[UUID]:
    """Those of these images whose answers the user has to wait for."""
    if not user.is_authenticated or not Profile.objects.filter(user_id=user.pk, reads_first=True).exists():
        return set()
    signed = Reading.objects.filter(reader_id=user.pk, image__in=image_ids).order_by().values_list("image", flat=True)
    return set(image_ids) - set(signed)
