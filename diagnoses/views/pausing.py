"""The switch that pauses the AI."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from diagnoses import audit
from diagnoses.forms import PauseForm
from diagnoses.models import PauseChange
from diagnoses.roles import MAY_PAUSE
from diagnoses.services.pausing import PauseError, pause_ai, resume_ai

_SHOWN_CHANGES = 20


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(MAY_PAUSE, raise_exception=True)
@never_cache
def pause(request: HttpRequest) -> HttpResponse:
    """Whether the AI reads, since when and why; a POST pauses it or lets it go on."""
    form = PauseForm(request.POST) if request.method == "POST" else PauseForm()
    problem, status = "", 200
    if form.is_bound and form.is_valid():
        change = pause_ai if form.cleaned_data["paused"] else resume_ai
        try:
            change(actor=audit.actor_of(request), reason=form.cleaned_data["reason"])
            return HttpResponseRedirect(reverse("pause"))
        except PauseError as error:
            problem, status = str(error), 409
    elif form.is_bound:
        status = 400
    context = {"form": form, "problem": problem, "changes": PauseChange.objects.all()[:_SHOWN_CHANGES]}
    return render(request, "diagnoses/pause.html", context, status=status)
