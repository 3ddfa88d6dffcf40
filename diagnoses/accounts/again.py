"""Saying once more that it is you, before something that matters.

Allauth's own decorator would keep what a form sent in the session until then, and with it a new password.
"""

from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode


def confirm_first(request: HttpRequest) -> HttpResponseRedirect | None:
    """Where to say it, and to come back from; None where it was said within the last five minutes."""
    if not is_reauthentication_required(request, app="allauth.account"):
        return None
    return HttpResponseRedirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': request.get_full_path()})}")
