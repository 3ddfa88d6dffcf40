"""Probes for whatever watches the site. Open to all, so they tell nothing but yes or no."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from diagnoses.selectors.health import is_ready

_PLAIN = "text/plain; charset=utf-8"


@require_safe
@login_not_required
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """The web process is alive."""
    return HttpResponse("ok\n", content_type=_PLAIN)


@require_safe
@login_not_required
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """200 only where the site can read a radiograph now."""
    ready = is_ready()
    return HttpResponse("ready\n" if ready else "not ready\n", content_type=_PLAIN, status=200 if ready else 503)
