"""What a user was told."""

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from diagnoses.models import Notification
from diagnoses.models.people import NoticeKind
from diagnoses.roles import MAY_SEE_STUDIES, MAY_WATCH_GLASS
from diagnoses.selectors.studies import visible_to

_LATEST = 20


def notices_of(user: User) -> QuerySet[Notification]:
    """What a user was told and may know still: nothing of a study that they do not see any more."""
    told = Notification.objects.filter(user=user).filter(Q(study=None) | Q(study__in=visible_to(user)))
    if not user.has_perm(MAY_WATCH_GLASS):
        told = told.exclude(kind=NoticeKind.GLASS_BROKEN)
    return told if user.has_perm(MAY_SEE_STUDIES) else told.filter(kind=NoticeKind.GLASS_BROKEN)


def latest_notices(user: User) -> QuerySet[Notification]:
    """The newest of a user's notices."""
    return notices_of(user).select_related("study__subject")[:_LATEST]


def unseen_count(user: User) -> int:
    """How many the user has not seen yet."""
    return notices_of(user).filter(seen_at=None).count()
