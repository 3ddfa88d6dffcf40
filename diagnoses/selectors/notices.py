"""What a user was told."""

from django.db.models import QuerySet

from diagnoses.models import Notification
from diagnoses.selectors.viewers import Viewer

_LATEST = 20


def latest_notices(user: Viewer) -> QuerySet[Notification]:
    """The newest of a user's notices."""
    return Notification.objects.filter(user=user.pk).select_related("study__subject")[:_LATEST]


def unseen_count(user: Viewer) -> int:
    """How many the user has not seen yet."""
    return Notification.objects.filter(user=user.pk, seen_at=None).count()
