"""Which answers a user has chosen not to see before they have read for themselves."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import Q

from diagnoses.models import Image, Profile
from diagnoses.selectors.studies import Viewer


def hidden_images(user: Viewer, image_ids: Collection[UUID]) -> set[UUID]:
    """Those of these images whose answer is hidden from the user: they read first, and have not signed a reading."""
    if not image_ids or not Profile.objects.filter(Q(user_id=user.pk), reads_first=True).exists():
        return set()
    return set(Image.objects.filter(pk__in=image_ids).exclude(readings__reader_id=user.pk).values_list("pk", flat=True))
