"""What is not there, though what the site stands on would have it."""

from django.http import Http404, HttpRequest, HttpResponse


def nowhere(request: HttpRequest, **_: str) -> HttpResponse:
    """Nothing. The panel's way from a row to its page fails on keys of ours, and no row here has such a page."""
    raise Http404
