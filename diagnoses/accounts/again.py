"""Saying once more that it is you, before something that matters.

Allauth itself would keep what a form sent in the session until then, and with it a new password, and then do it.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.deprecation import MiddlewareMixin
from django.utils.http import urlencode
from django.utils.translation import gettext as _

_UNDONE = "asked_before_it_was_done"


def confirm_first(request: HttpRequest) -> HttpResponseRedirect | None:
    """Where to say it, and to come back from; None where it was said within the last five minutes."""
    return _asked_first(request) if is_reauthentication_required(request, app="allauth.account") else None


class ConfirmFirstMiddleware(MiddlewareMixin):
    """The same for what allauth asks by itself, whose own middleware, around this one, would keep the form."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseRedirect | None:
        """Lead there."""
        return _asked_first(request) if isinstance(exception, ReauthenticationRequired) else None


def _asked_first(request: HttpRequest) -> HttpResponseRedirect:
    if request.method == "POST":
        request.session[_UNDONE] = True
    else:
        request.session.pop(_UNDONE, None)
    return HttpResponseRedirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': request.get_full_path()})}")


def saying_what_is_undone(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Have a page that asks who it is say, once it knows, that what was sent before is not done."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer = view(request, *args, **kwargs)
        is_known = answer.status_code == 302 and not is_reauthentication_required(request, app="allauth.account")
        if is_known and request.session.pop(_UNDONE, False):
            messages.info(request, _("Confirmed. Nothing was done yet: choose the action again."))
        return answer

    return wrapped
