"""What is not there, though what the site stands on would have it; and how that is said."""

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.defaults import page_not_found

_API = "/api/"


def nowhere(request: HttpRequest, **_: str) -> HttpResponse:
    """Nothing. The panel's way from a row to its page fails on keys of ours, and no row here has such a page."""
    raise Http404


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A page for people; for programs, which may have a malformed id, what the API says elsewhere."""
    if request.path.startswith(_API):
        return JsonResponse({"detail": _("Not found.")}, status=404)
    return page_not_found(request, exception)
