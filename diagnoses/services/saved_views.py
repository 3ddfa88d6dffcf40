"""Filters that users keep under a name."""

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from diagnoses.models import SavedView
from diagnoses.searching import untold_query


class SavedViewError(Exception):
    """The view cannot be kept like this; the text says why and what to do."""


def save_view(*, user: User, page: str, name: str, query: str) -> SavedView:
    """Keep a page's filter under a name, and no patient's name in clear. One that has the name already is replaced."""
    query = untold_query(user.pk, query)
    view, _ = SavedView.objects.update_or_create(user=user, page=page, name=name, defaults={"query": query})
    return view


def rename_view(*, view: SavedView, name: str) -> None:
    """Call it something else. Raises SavedViewError where another one of the page is called so."""
    try:
        with transaction.atomic():
            SavedView.objects.filter(pk=view.pk).update(name=name)
    except IntegrityError as error:
        raise SavedViewError(name) from error


def delete_view(*, view: SavedView) -> None:
    """Forget it."""
    SavedView.objects.filter(pk=view.pk).delete()
