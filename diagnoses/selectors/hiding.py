"""Answers that stay hidden from those who want to read first."""

import uuid
from collections.abc import Collection

from django.contrib.auth.models import AnonymousUser

from diagnoses.models import Profile, Reading
from diagnoses.selectors.studies import Viewer


def hidden_images(user: Viewer, image_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the images whose answers the user must not see yet: they read first, and have not signed there."""
    if isinstance(user, AnonymousUser):
        return set(image_ids)
    if not Profile.objects.filter(user_id=user.pk, reads_first=True).exists():
        return set()
    signed = Reading.objects.filter(reader_id=user.pk, image_id__in=image_ids).order_by()
    return set(image_ids) - set(signed.values_list("image_id", flat=True))
