"""Filters under a name, of whichever page keeps its filter in its address."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from diagnoses.forms import SavedViewForm
from diagnoses.models import SavedView
from diagnoses.searching import untold_query
from diagnoses.services.saved_views import SavedViewError, delete_view, rename_view, save_view
from diagnoses.views.finding import user_id


@require_POST
@never_cache
def saved_views(request: HttpRequest) -> HttpResponse:
    """Keep a page's filter under a name, and lead back to it."""
    assert isinstance(request.user, User)  # noqa: S101 - for the type checker; nobody else gets past the sign-in
    form = SavedViewForm(request.POST)
    if not form.is_valid():
        return _not_valid(request, form)
    view = save_view(user=request.user, **form.cleaned_data)
    messages.success(request, _("The view “%(name)s” is saved.") % {"name": view.name})
    return _to(view.page, view.query)


@require_POST
@never_cache
def saved_view(request: HttpRequest, view_id: int) -> HttpResponse:
    """Give one of the user's views another name, or delete it."""
    view = get_object_or_404(SavedView, pk=view_id, user_id=request.user.pk)
    query = untold_query(user_id(request), request.POST.get("query", ""))
    if request.POST.get("do") == "delete":
        delete_view(view=view)
        messages.success(request, _("The view “%(name)s” is deleted.") % {"name": view.name})
        return _to(view.page, query)
    form = SavedViewForm({"page": view.page, "name": request.POST.get("name", ""), "query": query})
    if not form.is_valid():
        return _not_valid(request, form)
    name = form.cleaned_data["name"]
    try:
        rename_view(view=view, name=name)
    except SavedViewError:
        messages.error(request, _("Another view is called “%(name)s”. Choose another name.") % {"name": name})
    else:
        messages.success(request, _("The view is called “%(name)s” now.") % {"name": name})
    return _to(view.page, query)


def _not_valid(request: HttpRequest, form: SavedViewForm) -> HttpResponse:
    """Back to the page with the reason, where it is known which one it is."""
    if "page" in form.errors:
        return HttpResponseBadRequest(_("There is no such page. Go back and reload it."))
    messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
    return _to(form.cleaned_data["page"], untold_query(user_id(request), str(form.data.get("query", ""))))


def _to(page: str, query: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{reverse(page)}{'?' if query else ''}{query}")
