"""The filters that users keep under a name."""

from django.db.models import Q, QuerySet

from diagnoses.models import SavedView
from diagnoses.selectors.studies import Viewer


def saved_views_of(user: Viewer, page: str) -> QuerySet[SavedView]:
    """The filters that a user keeps of a page, by name."""
    return SavedView.objects.filter(Q(user_id=user.pk), page=page)
