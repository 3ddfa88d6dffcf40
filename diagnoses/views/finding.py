"""Filters on their way into addresses."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from diagnoses.searching import opened_query, sealed_query, tells

_PAGES = ("history", "worklist")
P = ParamSpec("P")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def find(request: HttpRequest, page: str) -> HttpResponseRedirect:
    """Lead to a page that is narrowed as the form says, by an address that tells of no patient.

    Without a form, as after a sign-in that came between, to the page as it is.
    """
    if page not in _PAGES:
        raise Http404
    if request.method != "POST":
        return HttpResponseRedirect(reverse(page))
    said = request.POST.copy()
    said.pop("csrfmiddlewaretoken", None)
    for name in [name for name, value in said.items() if not value]:
        del said[name]
    return _to(reverse(page), sealed_query(user_id(request), said))


def untold(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Lead an address that may name a patient, an old bookmark's perhaps, to the same one that does not."""

    @wraps(view)
    def wrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if tells(request.GET):
            return _to(request.path, sealed_query(user_id(request), request.GET))
        return view(request, *args, **kwargs)

    return wrapped


def opened_address(request: HttpRequest) -> QueryDict:
    """What the address asks for, in clear. Raises SearchError."""
    return opened_query(user_id(request), request.GET)


def user_id(request: HttpRequest) -> int:
    """Whose searches these are."""
    assert request.user.pk is not None  # noqa: S101 - for the type checker; nobody gets past the sign-in without
    return int(request.user.pk)


def sealer(request: HttpRequest) -> Callable[[Any], str]:
    """How this user's filters are written into addresses."""
    return lambda query: sealed_query(user_id(request), query).urlencode()


def _to(path: str, query: QueryDict) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{path}?{query.urlencode()}" if query else path)
