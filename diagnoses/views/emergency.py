"""Emergency access to a patient: the page that gives it, and the button that ends it."""

import uuid

from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from diagnoses import audit
from diagnoses.forms import EmergencyForm
from diagnoses.models.emergency import EmergencyAccess, open_emergencies
from diagnoses.roles import MAY_BREAK_GLASS
from diagnoses.selectors.emergencies import studies_under
from diagnoses.services import emergencies


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(MAY_BREAK_GLASS, raise_exception=True)
@never_cache
def break_glass(request: HttpRequest) -> HttpResponse:
    """The user's accesses that last, with what they open; a POST with an ID and a reason gives one."""
    assert isinstance(request.user, User)  # noqa: S101 - for the type checker; nobody else gets past the sign-in
    if request.method != "POST":
        return _show(request, request.user, EmergencyForm())
    form = EmergencyForm(request.POST)
    if not form.is_valid():
        return _show(request, request.user, form, 400)
    access = emergencies.break_glass(actor=audit.actor_of(request), user=request.user, **form.cleaned_data)
    if access is None:
        form.add_error("patient_id", _("Too many IDs were given that nobody has. Try again in an hour, or ask IT."))
        return _show(request, request.user, form, 429)
    if access.patient_id is None:
        words = _("Nobody on this site has this ID. That you asked is on record. Check the number and try again.")
        form.add_error("patient_id", words)
        return _show(request, request.user, form, 400)
    return redirect("break_glass")


@require_POST
@permission_required(MAY_BREAK_GLASS, raise_exception=True)
@never_cache
def mend_glass(request: HttpRequest, access_id: uuid.UUID) -> HttpResponse:
    """End one of the user's accesses; one that is over meanwhile is so already."""
    access = get_object_or_404(EmergencyAccess, user=request.user.pk or 0, pk=access_id)
    emergencies.mend_glass(actor=audit.actor_of(request), access=access)
    return redirect("break_glass")


def _show(request: HttpRequest, user: User, form: EmergencyForm, status: int = 200) -> HttpResponse:
    lasting = [(access, studies_under(user, access)) for access in open_emergencies(user.pk)]
    context = {"form": form, "lasting": lasting}
    return render(request, "diagnoses/break_glass.html", context, status=status)
