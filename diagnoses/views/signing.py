"""Signing a reading of one's own."""

import uuid

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from diagnoses import audit
from diagnoses.forms import SigningForm
from diagnoses.roles import MAY_SIGN
from diagnoses.selectors.studies import images_visible_to
from diagnoses.services.signing import SigningConflictError, SigningError, Statement, sign_reading
from diagnoses.views.shown import Draft
from diagnoses.views.studies import show_problem

_SAID = ("agreement", "finding", "text")


@require_POST
@permission_required(MAY_SIGN, raise_exception=True)
@never_cache
def sign(request: HttpRequest, image_id: uuid.UUID) -> HttpResponse:
    """Sign what was filled in beside an image; leads back to it. What cannot be signed stays in the form."""
    image = get_object_or_404(images_visible_to(request.user), pk=image_id)
    form = SigningForm(request.POST)
    draft = Draft(image.pk, {name: request.POST.get(name, "") for name in _SAID})
    if not form.is_valid():
        words = " ".join(str(error) for errors in form.errors.values() for error in errors)
        return show_problem(request, image, words, 400, draft)
    try:
        sign_reading(actor=audit.actor_of(request), image=image, statement=Statement(**form.cleaned_data))
    except SigningConflictError as error:
        return show_problem(request, image, str(error), 409, draft)
    except SigningError as error:
        return show_problem(request, image, str(error), 400, draft)
    return HttpResponseRedirect(f"{reverse('study', args=[image.study_id])}#image-{image.position}")
