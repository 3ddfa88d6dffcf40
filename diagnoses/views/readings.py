"""Asking for a reading: of a picture that the gate refused, or with another model."""

import uuid

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from diagnoses import audit
from diagnoses.forms import OverrideForm, ReaderForm
from diagnoses.models import Image
from diagnoses.roles import MAY_OVERRIDE, MAY_SUBMIT
from diagnoses.selectors.studies import images_visible_to, jobs_visible_to
from diagnoses.services.rereading import RereadError, request_reread
from diagnoses.services.retrying import override_refusal
from diagnoses.views.studies import show_problem

NOT_REFUSED = _("This image does not wait for anybody's word: see below where its reading stands now.")
"""What is said where a refusal is gone, or was none that a person may override."""


@require_POST
@permission_required(MAY_OVERRIDE, raise_exception=True)
@never_cache
def override(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """Have a refused picture read all the same; leads back to its study."""
    job = get_object_or_404(jobs_visible_to(request.user), pk=job_id)
    form = OverrideForm(request.POST)
    if not form.is_valid():
        return show_problem(request, job.image, str(form.errors["reason"][0]), 400)
    if not override_refusal(job=job, actor=audit.actor_of(request), reason=form.cleaned_data["reason"]):
        return show_problem(request, job.image, str(NOT_REFUSED), 409)
    return _to_image(job.image)


@require_POST
@permission_required(MAY_SUBMIT, raise_exception=True)
@never_cache
def read_again(request: HttpRequest, image_id: uuid.UUID) -> HttpResponse:
    """Have a picture read with another model; leads back to its study."""
    image = get_object_or_404(images_visible_to(request.user), pk=image_id)
    form = ReaderForm(request.POST)
    if not form.is_valid():
        return show_problem(request, image, str(form.errors["model"][0]), 400)
    try:
        request_reread(actor=audit.actor_of(request), image=image, model_version=form.version())
    except RereadError as error:
        return show_problem(request, image, str(error), 409)
    return _to_image(image)


def _to_image(image: Image) -> HttpResponseRedirect:
    """To the image's place on the page of its study."""
    return HttpResponseRedirect(f"{reverse('study', args=[image.study_id])}#image-{image.position}")
